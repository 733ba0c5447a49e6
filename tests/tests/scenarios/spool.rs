//! What robots write while the server is away is kept by their worker and done once, in order.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, on_sqlite, pb, rounds, seconds};

on_both_databases!(
    the_server_dies_between_commit_and_answer_and_everything_is_done_once,
    eight_robots_write_through_an_outage,
);
on_sqlite!(
    what_a_robot_wrote_comes_before_its_end_and_what_is_refused_is_told_on_the_job,
    what_reads_or_takes_waits_with_patience_and_then_says_so,
    a_worker_that_is_killed_delivers_when_it_starts_again,
    what_does_not_fit_is_counted_on_the_job,
);

/// All of a list that comes in pages.
async fn all<T>(page: impl AsyncFn(Option<pb::Page>) -> Result<(Vec<T>, String)>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let (items, next) = page(Some(pb::Page { limit: 1000, cursor })).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        cursor = next;
    }
}

/// All messages of a job's log lines, oldest first.
pub(crate) async fn lines(world: &World, job: &str) -> Result<Vec<String>> {
    let mut lines = all(async |page| {
        let request = pb::ListLogsRequest { job: job.to_owned(), page, ..pb::ListLogsRequest::default() };
        let answer = world.api().logs().list(request).await?.into_inner();
        Ok((answer.logs, answer.next_cursor))
    })
    .await?;
    lines.reverse();
    Ok(lines.into_iter().map(|line| line.log_message).collect())
}

/// All elements of a queue, oldest first.
async fn elements(world: &World, queue: &str) -> Result<Vec<pb::QueueElement>> {
    all(async |page| {
        let request =
            pb::ListElementsRequest { queue_name: queue.to_owned(), page, ..pb::ListElementsRequest::default() };
        let answer = world.api().queues().list(request).await?.into_inner();
        Ok((answer.elements, answer.next_cursor))
    })
    .await
}

fn references(elements: &[pb::QueueElement]) -> Vec<&str> {
    elements.iter().map(pb::QueueElement::reference).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn the_server_dies_between_commit_and_answer_and_everything_is_done_once(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let _worker = world.worker("here").over(&wire).start().await;
    world.cli(&["constant", "set", "last", "none"]).await.ok();
    let (gate, counted, went_on) = (world.gate("end"), world.ledger("counted"), world.ledger("went-on"));
    let body = format!(
        r#"
number = 0
while not os.path.exists('{gate}'):
    get("Log", logs=[{{"logLevel": "INFO", "logMessage": str(number)}}])
    element = get("CreateQueueElement", queueName="made", element={{"reference": str(number)}})["element"]["id"]
    get("SetQueueElementStatus", element=element, status="IN_PROGRESS")
    get("SetQueueElementStatus", element=element, status="DONE" if number % 2 else "FAILED", message=str(number))
    many = get("BulkCreateQueueElements", queueName="bulk", elements=[{{"reference": f"{{number}}.{{n}}"}} for n in range(3)])
    assert many == {{"createdCount": "3"}}
    claimed = get("ClaimQueueElement", queueName="bulk")["element"]
    get("SetQueueElementStatus", element=claimed["id"], status="DONE")
    get("UpdateConstant", name="last", value=str(number))
    number += 1
    {went_on}
{counted}
"#,
        gate = world.stage().path("gate-end").display(),
        counted = counted.add_in_python("number"),
        went_on = went_on.add_in_python("number"),
    );
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    // Three deaths, a hundred in a full run; each after another call of the eight.
    for death in 1..=rounds().max(3) * if rounds() >= 20 { 5 } else { 1 } {
        wire.lose_an_answer_to_a_robot(3 * death % 8);
        wire.has_lost("RobotService", death).await;
        world.server().kill_9();
        let before = went_on.lines().len();
        world.server().start().await;
        eventually("the robot goes on", SOON + SOON, async || {
            ensure!(went_on.lines().len() > before, "it has done {before}");
            Ok(())
        })
        .await;
    }
    gate.open();
    let ended = world.ended_within(&job.id, seconds(60)).await;
    ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    let count: usize = counted.lines().pop().context("the robot did not count")?.parse()?;
    assert_eq!(lines(world, &job.id).await?, numbers(count));
    let made = elements(world, "made").await?;
    assert_eq!(references(&made), numbers(count));
    for element in &made {
        let odd = element.reference().parse::<usize>()? % 2 == 1;
        assert_eq!(
            (element.status.as_str(), element.message()),
            (if odd { "DONE" } else { "FAILED" }, element.reference())
        );
    }
    let bulk = elements(world, "bulk").await?;
    let expected: Vec<String> = (0..count).flat_map(|number| (0..3).map(move |n| format!("{number}.{n}"))).collect();
    assert_eq!(references(&bulk), expected);
    let done = bulk.iter().filter(|element| element.status == "DONE").count();
    assert_eq!(done, count, "each claim took one element, and none twice");
    assert_eq!(world.cli(&["constant", "get", "last"]).await.ok().stdout.trim(), (count - 1).to_string());
    Ok(())
}

async fn eight_robots_write_through_an_outage(world: &World) -> Result<()> {
    let away = if rounds() >= 20 { seconds(60) } else { seconds(6) };
    let _worker = world.worker("here").slots(8).start().await;
    world.fill("work", 80).await;
    let begun = world.ledger("begun");
    let body = format!(
        r#"
mine = [get("ClaimQueueElement", queueName="work")["element"] for _ in range(10)]
{begun}
number, end = 0, time.monotonic() + {run}
while time.monotonic() < end:
    next_line = time.monotonic() + 0.01
    get("Log", logs=[{{"logLevel": "INFO", "logMessage": str(number)}}])
    if number % 20 == 0 and mine:
        element = mine.pop()
        get("SetQueueElementStatus", element=element["id"], status="DONE", message=process_name)
        get("Log", logs=[{{"logLevel": "INFO", "logMessage": "status"}}])
    number += 1
    time.sleep(max(0, next_line - time.monotonic()))
while mine:
    get("SetQueueElementStatus", element=mine.pop()["id"], status="DONE", message=process_name)
print(number)
"#,
        begun = begun.add_in_python("job_id"),
        run = away.as_secs() + 6,
    );
    let robot = world.python("robot", &body);
    for number in 0..8 {
        world.create(NewTrigger::single(&format!("robot-{number}"), &robot)).await;
    }
    eventually("all robots work", SOON + SOON, async || {
        let count = begun.lines().len();
        ensure!(count == 8, "{count} do");
        Ok(())
    })
    .await;
    world.server().stop().await;
    tokio::time::sleep(away).await;
    world.server().start().await;
    for number in 0..8 {
        let name = format!("robot-{number}");
        let job = world.first_job_of(&name).await;
        let ended = world.ended_within(&job.id, away + seconds(60)).await;
        ensure!(ended.status == "DONE", "{name} is {}: {}", ended.status, ended.reason);
        let said = eventually("the robot's count", SOON, async || {
            let said = world.output(&job.id).await?.stdout;
            ensure!(!said.is_empty(), "nothing yet");
            Ok(said)
        })
        .await;
        let written = lines(world, &job.id).await?;
        let in_order: Vec<&String> = written.iter().filter(|line| *line != "status").collect();
        assert_eq!(in_order, numbers(said.trim().parse()?).iter().collect::<Vec<_>>(), "{name}");
        assert!(written.len() >= in_order.len() + 5, "statuses were set meanwhile");
    }
    let work = elements(world, "work").await?;
    assert!(
        work.iter().all(|element| element.status == "DONE" && element.message().starts_with("robot-")),
        "{work:#?}"
    );
    Ok(())
}

/// Has a robot make its calls while the server is away; its job, when that has ended well.
async fn done_while_away(world: &World, calls: &str) -> Result<pb::Job> {
    let (away, written) = (world.gate("away"), world.ledger("written"));
    let body = format!("{}\n{calls}\n{}", away.wait_in_python(), written.add_in_python("'written'"));
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    world.server().stop().await;
    away.open();
    written.is_written().await;
    world.no_process_of(&job.id, SOON).await;
    world.server().start().await;
    let ended = world.ended_within(&job.id, seconds(40)).await;
    ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    Ok(ended)
}

async fn what_a_robot_wrote_comes_before_its_end_and_what_is_refused_is_told_on_the_job(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    let calls = r#"
assert get("GetContext")["jobId"] == job_id
for number in range(100):
    get("Log", logs=[{"logLevel": "INFO", "logMessage": str(number)}])
element = get("CreateQueueElement", queueName="made", element={"reference": "r", "data": "d"})["element"]
assert (element["status"], element["reference"], element["data"], len(element["id"])) == ("NEW", "r", "d", 36), element
done = get("SetQueueElementStatus", element=element["id"], status="DONE", message="well")["element"]
assert (done["id"], done["status"], done["message"]) == (element["id"], "DONE", "well"), done
nobody = "01890000-0000-7000-8000-00000000abcd"
get("SetQueueElementStatus", element=nobody, status="FAILED", message="lost")
get("Log", logs=[{"logLevel": "INFO", "logMessage": "after"}])
local.worker.request("POST", "/rpc/orchestrator.v1.RobotService/Log", "{}", {
    "Content-Type": "application/json", "Authorization": "Bearer " + os.environ["ORCHESTRATOR_JOB_TOKEN"]})
answer = local.worker.getresponse()
assert (answer.status, answer.headers["Orchestrator-Provisional"], answer.read()) == (200, "true", b"{}")
# What this worker can see to be wrong is refused at once.
status, said = ask("SetQueueElementStatus", element=nobody, status="FINISHED")
assert (status, said["details"][0]["reason"]) == (400, "INVALID_FIELD"), said
status, said = ask("CreateQueueElement", queueName="made", element={"reference": "x" * 101})
assert (status, said["details"][0]["metadata"]) == (400, {"field": "reference", "limit": "100", "length": "101"}), said
"#;
    let job = done_while_away(world, calls).await?;
    let said = lines(world, &job.id).await?;
    assert_eq!(&said[..100], numbers(100), "at the end of a job its lines are there");
    assert_eq!((said.len(), said[101].as_str()), (102, "after"), "{said:#?}");
    for word in ["SetQueueElementStatus", "abcd", "QUEUE_ELEMENT_NOT_FOUND", "spool/refused"] {
        assert!(said[100].contains(word), "{word} in {}", said[100]);
    }
    let made = elements(world, "made").await?;
    assert_eq!((made.len(), made[0].status.as_str(), made[0].message()), (1, "DONE", "well"));
    let kept = worker.spool();
    assert_eq!(kept.len(), 1, "nothing waits, and what was refused is kept: {kept:?}");
    let refused = std::fs::read_to_string(&kept[0])?;
    assert!(refused.contains("\"message\":\"lost\"") && refused.contains(&job.id), "{refused}");
    Ok(())
}

async fn what_reads_or_takes_waits_with_patience_and_then_says_so(world: &World) -> Result<()> {
    let _worker = world.worker("here").configured("robot_patience_seconds = 2\n").start().await;
    world.cli(&["constant", "set", "limit", "ten"]).await.ok();
    world.fill("work", 1).await;
    let (away, back, tried) = (world.gate("away"), world.gate("back"), world.ledger("tried"));
    let body = format!(
        r#"
{away}
for method, body in [("GetConstant", {{"name": "limit"}}), ("ClaimQueueElement", {{"queueName": "work"}}), ("GetCredential", {{"name": "x"}}),
        ("UpdateCredential", {{"name": "x", "username": "u", "password": "hunter2"}}), ("ListQueueElements", {{"queueName": "work"}}), ("IsPausing", {{}})]:
    began = time.monotonic()
    status, said = ask(method, **body)
    assert (status, said["code"], said["details"][0]["reason"]) == (503, "unavailable", "SERVER_AWAY"), said
    assert "2 s" in said["message"] and 1 < time.monotonic() - began < 10, (said, time.monotonic() - began)
get("Log", logs=[{{"logLevel": "INFO", "logMessage": "kept"}}])
{tried}
{back}
deadline = time.monotonic() + 20
while True:
    status, said = ask("GetConstant", name="limit")
    if status == 200: break
    assert said["details"][0]["reason"] == "SERVER_AWAY" and time.monotonic() < deadline, said
assert said["constant"]["value"] == "ten"
# A claim that was in vain took nothing, or it took it for this job.
claimed = get("ClaimQueueElement", queueName="work").get("element")
mine = get("ListQueueElements", queueName="work")["elements"][0]
assert (mine["status"], mine["jobId"]) == ("IN_PROGRESS", job_id), mine
"#,
        away = away.wait_in_python(),
        back = back.wait_in_python(),
        tried = tried.add_in_python("'tried'"),
    );
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    world.server().stop().await;
    away.open();
    tried.is_written().await;
    world.server().start().await;
    back.open();
    let ended = world.ended_within(&job.id, seconds(60)).await;
    ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    assert_eq!(
        lines(world, &job.id).await?,
        ["kept", "Queue elements that the job had taken and not finished: 1 ABANDONED."]
    );
    Ok(())
}

async fn a_worker_that_is_killed_delivers_when_it_starts_again(world: &World) -> Result<()> {
    let worker = world.worker("here").start().await;
    world.fill("work", 1).await;
    let (gate, written) = (world.gate("away"), world.ledger("written"));
    let body = format!(
        r#"
element = get("ClaimQueueElement", queueName="work")["element"]["id"]
{wait}
for number in range(50):
    get("Log", logs=[{{"logLevel": "INFO", "logMessage": str(number)}}])
get("SetQueueElementStatus", element=element, status="DONE", message="just before")
{written}
import signal
signal.pause()
"#,
        wait = gate.wait_in_python(),
        written = written.add_in_python("'written'"),
    );
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    eventually("the robot has claimed", SOON, async || {
        ensure!(world.queue("work").await?.in_progress_count == 1, "not yet");
        Ok(())
    })
    .await;
    world.server().kill_9();
    gate.open();
    written.is_written().await;
    worker.kill_9();
    assert_eq!(worker.spool().len(), 1);
    worker.start();
    world.server().start().await;
    let ended = world.ended_within(&job.id, seconds(40)).await;
    assert_eq!(ended.status, "FAILED", "{}", ended.reason);
    assert_eq!(lines(world, &job.id).await?.get(..50), Some(&numbers(50)[..]));
    let work = elements(world, "work").await?;
    assert_eq!((work[0].status.as_str(), work[0].message()), ("DONE", "just before"));
    assert_eq!(worker.spool(), Vec::<std::path::PathBuf>::new());
    Ok(())
}

async fn what_does_not_fit_is_counted_on_the_job(world: &World) -> Result<()> {
    let limits = "spool_job_bytes = 20000\nrobot_patience_seconds = 1\n";
    let _worker = world.worker("here").configured(limits).start().await;
    let calls = r#"
for number in range(300):
    get("Log", logs=[{"logLevel": "INFO", "logMessage": f"{number} " + "x" * 200}])
status, said = ask("CreateQueueElement", queueName="made", element={"data": "x" * 1000})
assert (status, said["details"][0]["reason"], said["details"][0]["metadata"]["limit"]) == (507, "SPOOL_FULL", "20000"), (status, said)
"#;
    let job = done_while_away(world, calls).await?;
    let said = lines(world, &job.id).await?;
    let (told, kept) = said.split_last().context("nothing was logged")?;
    assert!((10..300).contains(&kept.len()), "{} lines were kept", kept.len());
    assert!(kept.iter().enumerate().all(|(number, line)| line.starts_with(&format!("{number} "))), "{kept:#?}");
    assert!(told.starts_with(&format!("{} log lines", 300 - kept.len())), "{told}");
    assert_eq!(elements(world, "made").await?.len(), 0, "what was refused is not done");
    Ok(())
}

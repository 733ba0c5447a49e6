//! Robots call their worker.

use anyhow::{Context as _, Result};
use orchestrator_tests::{NewTrigger, SOON, World, eventually, on_both_databases, on_sqlite};

on_both_databases!(a_robot_does_all_its_work_through_its_worker);
on_sqlite!(
    bad_calls_of_a_robot_are_answered_with_what_to_do,
    the_token_of_another_job_or_of_an_ended_one_opens_nothing,
);

/// Runs one robot to its good end.
async fn done(world: &World, name: &str, body: &str) -> Result<String> {
    let robot = world.python(name, body);
    world.create(NewTrigger::single(name, &robot).args("words \"quoted\"")).await;
    let job = world.first_job_of(name).await;
    let ended = world.ended(&job.id).await;
    anyhow::ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    Ok(job.id)
}

async fn a_robot_does_all_its_work_through_its_worker(world: &World) -> Result<()> {
    world.cli(&["constant", "set", "limit", "ten"]).await.ok();
    world.cli_with(&["credential", "set", "mail", "--username", "ada"], "pässword 1\n", &[]).await.ok();
    let _worker = world.worker("robots").start().await;
    let job = done(
        world,
        "all",
        r#"
assert endpoint == os.environ["ORCHESTRATOR_ENDPOINT"] and endpoint.startswith("http://127.0.0.1:")
context = get("GetContext")
assert (context["jobId"], context["triggerId"]) == (job_id, trigger_id), context
assert (context["processName"], context["processArgs"], context["workerName"]) == ("all", process_args, "robots"), context
for number in range(3):
    get("Log", logs=[{"logLevel": "INFO", "logMessage": f"line {number}"}])
get("Log", logs=[{"logLevel": "ERROR", "logMessage": f"line {number}"} for number in range(3, 20)])
assert get("GetConstant", name="limit")["constant"]["value"] == "ten"
assert get("UpdateConstant", name="limit", value="elleve")["constant"]["value"] == "elleve"
mail = get("GetCredential", name="mail")
assert (mail["username"], mail["password"]) == ("ada", "pässword 1"), mail
assert get("UpdateCredential", name="mail", username="eve", password="pässword 2") == {}
assert get("ClaimQueueElement", queueName="work") == {}
element = get("CreateQueueElement", queueName="work", element={"reference": "r", "data": "{}", "createdBy": "me"})["element"]
assert (element["status"], element["reference"], element["attempt"], element["leaseToken"]) == ("NEW", "r", 0, "0"), element
many = get("BulkCreateQueueElements", queueName="work", elements=[{"reference": str(n)} for n in range(100)])
assert many == {"createdCount": "100"}, many
claimed = get("ClaimQueueElement", queueName="work")["element"]
assert (claimed["id"], claimed["status"], claimed["jobId"]) == (element["id"], "IN_PROGRESS", job_id), claimed
peeked = get("ClaimQueueElement", queueName="work", peek=True, reference="7")["element"]
assert (peeked["status"], peeked["reference"]) == ("NEW", "7"), peeked
done = get("SetQueueElementStatus", element=claimed["id"], status="DONE", message="well")["element"]
assert (done["status"], done["message"]) == ("DONE", "well"), done
assert get("DeleteQueueElement", element=peeked["id"]) == {}
assert len(get("ListQueueElements", queueName="work", statuses=["NEW"], page={"limit": 1000})["elements"]) == 99
assert get("IsPausing") == {"pausing": False}
assert get("Pause") == {}
assert get("IsPausing") == {"pausing": True}
"#,
    )
    .await?;
    let lines = world.log_of(&job).await?;
    assert_eq!(lines, (0..20).map(|number| format!("line {number}")).collect::<Vec<_>>());
    assert_eq!(world.cli(&["constant", "get", "limit"]).await.ok().stdout, "elleve\n");
    let queue = world.queue("work").await?;
    assert_eq!((queue.new_count, queue.done_count, queue.in_progress_count), (99, 1, 0));
    assert_eq!(world.trigger("all").await?.hold, "PAUSED");
    Ok(())
}

async fn bad_calls_of_a_robot_are_answered_with_what_to_do(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    done(
        world,
        "bad",
        r#"
GOOD = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["ORCHESTRATOR_JOB_TOKEN"]}

def refused(status, reason, *words, path="/rpc/orchestrator.v1.RobotService/Log", body=b"{}", method="POST", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    worker = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=120)
    worker.request(method, path, body, {**GOOD, **headers})
    answer = worker.getresponse()
    said = json.loads(answer.read())
    assert answer.status == status, (answer.status, said)
    assert answer.headers["Content-Type"] == "application/json"
    assert said["details"][0]["reason"] == reason, said
    for word in words:
        assert word in said["message"], (word, said)
    return said

refused(501, "METHOD_UNKNOWN", "SetQueueElementStatus", path="/rpc/orchestrator.v1.RobotService/Drop")
refused(501, "METHOD_UNKNOWN", "RobotService", path="/rpc/orchestrator.v1.AdminService/WhoAmI")
refused(501, "METHOD_UNKNOWN", path="/")
refused(405, "METHOD_UNKNOWN", "POST", method="GET", body=None)
refused(415, "UNSUPPORTED_CONTENT_TYPE", "application/json", Content_Type="text/plain")
refused(415, "UNSUPPORTED_CONTENT_TYPE", "application/json", Content_Type="application/json; charset=latin-1")
refused(421, "HOST_NOT_ALLOWED", "127.0.0.1", Host="evil.example")
refused(401, "TOKEN_MISSING", "ORCHESTRATOR_JOB_TOKEN", Authorization="Basic abc")
refused(401, "TOKEN_MALFORMED", Authorization="Bearer hunter2")
refused(403, "WRONG_CALLER", "user", Authorization="Bearer " + os.environ["SCENARIO_TOKEN"])
refused(400, "INVALID_JSON", body=b"{")
refused(400, "INVALID_JSON", "lgos", body=b'{"lgos": []}')
refused(400, "INVALID_JSON", "UTF-8", body=b'{"logs": [{"logMessage": "\xff"}]}')
refused(400, "INVALID_JSON", body=b'{"logs": [{"logMessage": "\x00"}]}')
refused(400, "INVALID_FIELD", "log_level", "LOUD", "TRACE", body=b'{"logs": [{"logLevel": "LOUD"}]}')
said = refused(413, "MESSAGE_TOO_LARGE", "4194304", body=b'{"logs": "' + b"x" * 50_000_000 + b'"}')
assert said["details"][0]["metadata"] == {"limit": "4194304", "size": "50000012"}, said
many = "/rpc/orchestrator.v1.RobotService/BulkCreateQueueElements"
refused(413, "MESSAGE_TOO_LARGE", "33554432", path=many, body=b"x" * 50_000_000)

def fails(expected, reason, *words, method, **body):
    code, said = ask(method, **body)
    assert (code, said["details"][0]["reason"]) == (expected, reason), (code, said)
    for word in words:
        assert word in said["message"], (word, said)

fails(404, "CONSTANT_NOT_FOUND", "nobody", method="GetConstant", name="nobody")
fails(404, "CREDENTIAL_NOT_FOUND", "nobody", method="GetCredential", name="nobody")
fails(400, "INVALID_FIELD", "data", "2000", "3000", method="CreateQueueElement", queueName="q", element={"data": "x" * 3000})
fails(400, "INVALID_FIELD", "reference", "100", method="CreateQueueElement", queueName="q", element={"reference": "x" * 101})
fails(400, "INVALID_FIELD", "data", method="CreateQueueElement", queueName="q", element={"data": "a\0b"})
fails(400, "INVALID_FIELD", "queue_name", method="ClaimQueueElement")
fails(404, "QUEUE_ELEMENT_NOT_FOUND", method="SetQueueElementStatus", element="01890000-0000-7000-8000-000000000000", status="DONE")
element = get("CreateQueueElement", queueName="q", element={})["element"]["id"]
fails(400, "INVALID_FIELD", "status", "FINISHED", "ABANDONED", method="SetQueueElementStatus", element=element, status="FINISHED")
# After all that, it still answers.
get("IsPausing")
"#,
    )
    .await?;
    Ok(())
}

async fn the_token_of_another_job_or_of_an_ended_one_opens_nothing(world: &World) -> Result<()> {
    let (tokens, gate) = (world.ledger("tokens"), world.gate("end"));
    let _worker = world.worker("robots").slots(2).start().await;
    let _other = world.worker("elsewhere").start().await;
    // The first job's token, for whoever can read it.
    let leak = format!("{}\n{}", tokens.add("$ORCHESTRATOR_JOB_TOKEN"), gate.wait());
    world.create(NewTrigger::single("first", &world.shell("first", &leak)).only_on("robots")).await;
    let first = world.running_job_of("first").await;
    let token = eventually("the token is leaked", SOON, async || tokens.lines().pop().context("not yet")).await;
    let thief = |said: &str| {
        format!(
            r#"
os.environ["ORCHESTRATOR_JOB_TOKEN"] = "{token}"
status, said = ask("GetContext")
assert (status, said.get("jobId") or said["details"][0]["reason"]) == {said}, (status, said)
"#
        )
    };
    let cases = [
        // Whoever holds a job's token speaks for that job, on the worker that runs it and nowhere else.
        ("neighbour", "robots", format!("(200, '{}')", first.id)),
        ("stranger", "elsewhere", "(401, 'JOB_TOKEN_UNKNOWN')".to_owned()),
        ("late", "robots", "(401, 'JOB_ENDED')".to_owned()),
    ];
    for (name, worker, said) in cases {
        if name == "late" {
            gate.open();
            world.job_becomes(&first.id, "DONE", SOON).await;
        }
        let robot = world.python(name, &thief(&said));
        world.create(NewTrigger::single(name, &robot).only_on(worker)).await;
        let job = world.ended_job_of(name).await;
        anyhow::ensure!(job.status == "DONE", "{name} is {}: {}", job.status, job.reason);
    }
    Ok(())
}

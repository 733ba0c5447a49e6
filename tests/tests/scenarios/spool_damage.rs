//! Spool files that the disk has damaged, or at which it fails.

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, Worker, World, eventually, on_sqlite, pb, seconds};

use crate::spool::lines;

on_sqlite!(
    what_the_disk_has_damaged_is_told_on_the_job,
    a_file_at_which_the_disk_fails_again_and_again_keeps_no_worker_from_registering,
);

/// A job whose robot made these calls while the server was away, and whose worker was killed then: they are in the spool.
async fn killed_with_its_spool(world: &World, calls: &str) -> Result<(Worker, pb::Job)> {
    let worker = world.worker("here").start().await;
    let (gate, written) = (world.gate("away"), world.ledger("written"));
    let body = format!(
        r#"
get("Log", logs=[{{"logLevel": "INFO", "logMessage": "before"}}])
{wait}
{calls}
{written}
import signal
signal.pause()
"#,
        wait = gate.wait_in_python(),
        written = written.add_in_python("'written'"),
    );
    world.create(NewTrigger::single("robot", &world.python("robot", &body))).await;
    let job = world.running_job_of("robot").await;
    eventually("the robot has logged", SOON, async || {
        ensure!(lines(world, &job.id).await? == ["before"], "not yet");
        Ok(())
    })
    .await;
    world.server().kill_9();
    gate.open();
    written.is_written().await;
    worker.kill_9();
    Ok((worker, job))
}

async fn what_the_disk_has_damaged_is_told_on_the_job(world: &World) -> Result<()> {
    let calls = r#"
for number in range(9):
    get("Log", logs=[{"logLevel": "INFO", "logMessage": f"line {number} of nine"}])
"#;
    let (worker, job) = killed_with_its_spool(world, calls).await?;
    let file = worker.spool().pop().context("a spool file")?;
    let mut bytes = std::fs::read(&file)?;
    for number in [3, 4] {
        let text = format!("line {number} of nine");
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).context("the line")?;
        bytes[at] = b'L';
    }
    // Behind the head and seven lines: the length of the eighth's record.
    let mut at = 0;
    for _ in 0..8 {
        let length = bytes[at..].first_chunk::<4>().context("a record")?;
        at += 12 + usize::try_from(u32::from_le_bytes(*length))?;
    }
    bytes[at] ^= 4;
    std::fs::write(&file, bytes)?;
    // Of another job: it stops nothing of this one.
    let unusable = file.with_file_name("0-unusable.spool");
    std::fs::create_dir(&unusable)?;

    worker.start();
    world.server().start().await;
    world.ended_within(&job.id, seconds(40)).await;
    let said = lines(world, &job.id).await?;
    let kept = said.iter().filter(|line| line.ends_with("of nine")).count();
    assert_eq!(kept, 6, "{said:#?}");
    let copy = file.with_extension("damaged");
    let told: Vec<&String> = said.iter().filter(|line| line.contains("damaged")).collect();
    assert_eq!(told.len(), 1, "{said:#?}");
    assert!(told[0].starts_with("3 calls of this job") && told[0].contains(&copy.display().to_string()), "{told:?}");
    std::fs::remove_dir(unusable)?;
    assert_eq!(worker.spool(), [copy]);
    Ok(())
}

async fn a_file_at_which_the_disk_fails_again_and_again_keeps_no_worker_from_registering(world: &World) -> Result<()> {
    let calls = r#"
get("SetQueueElementStatus", element="00000000-0000-7000-8000-00000000abcd", status="DONE", message="refused later")
get("Log", logs=[{"logLevel": "INFO", "logMessage": "after"}])
"#;
    let (worker, job) = killed_with_its_spool(world, calls).await?;
    // What the server refuses is to be kept in a folder of this name.
    let in_the_way = worker.data().join("spool/refused");
    std::fs::write(&in_the_way, "")?;
    worker.start();
    world.server().start().await;
    let ended = world.ended_within(&job.id, seconds(60)).await;
    assert_eq!(ended.status, "FAILED", "{}", ended.reason);
    worker.is_up(world).await;
    let said = lines(world, &job.id).await?;
    let told: Vec<&String> = said.iter().filter(|line| line.contains("are not delivered")).collect();
    assert_eq!(told.len(), 1, "{said:#?}");
    assert!(told[0].starts_with("2 calls or remarks of this job"), "{told:?}");

    worker.ask_to_stop();
    worker.end_within(SOON).await;
    std::fs::remove_file(&in_the_way)?;
    worker.start();
    worker.is_up(world).await;
    assert_eq!(worker.spool(), [in_the_way.join(format!("{}.jsonl", job.id))], "it is tried again");
    Ok(())
}

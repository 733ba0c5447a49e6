//! Jobs by hand, from the command line.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, SOON, World, on_both_databases, on_sqlite};

on_both_databases!(run_now_takes_other_arguments_and_leaves_the_schedule_alone);
on_sqlite!(
    the_command_line_makes_all_three_kinds_of_triggers,
    a_failed_robot_is_an_exit_code_of_its_own,
    follow_prints_the_output_as_it_comes,
);

async fn run_now_takes_other_arguments_and_leaves_the_schedule_alone(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.python("robot", "print(process_args)");
    let created = world.create(NewTrigger::scheduled("yearly", &robot, "0 0 1 1 *").args("as always")).await;
    world.cli(&["trigger", "pause", "yearly"]).await.ok();

    let said =
        world.cli(&["trigger", "run", "yearly", "--args", "just once; $(id) \"x\"", "--wait", "-o", "json"]).await;
    let job = said.ok().json()["job"].clone();
    assert_eq!((&job["status"], &job["exitCode"]), (&"DONE".into(), &0.into()), "{job}");
    let id = job["id"].as_str().unwrap_or_default();
    assert_eq!(world.cli(&["job", "logs", id]).await.ok().stdout, "just once; $(id) \"x\"\n");

    let said = world.cli(&["trigger", "run", "yearly", "--follow"]).await.ok();
    assert!(said.stdout.starts_with("as always\n"), "{said}");
    let trigger = world.trigger("yearly").await?;
    assert_eq!((trigger.hold.as_str(), trigger.next_run), ("PAUSED", created.next_run));
    Ok(())
}

async fn the_command_line_makes_all_three_kinds_of_triggers(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.python("robot", "print(process_name)").display().to_string();
    let common = ["--process", "greet", "--path", &robot];
    let create = |kind: &str, name: &str, more: &[&str]| {
        [&["trigger", "create", kind, name], &common[..], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let at = world.now().to_rfc3339();
    for (name, command) in [
        ("one", create("single", "one", &["--at", "now"])),
        ("two", create("scheduled", "two", &["--cron", "0 6 * * 1-5", "--zone", "Europe/Copenhagen", "--at", &at])),
        ("three", create("queue", "three", &["--queue", "work", "--min-batch", "1"])),
    ] {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        world.cli(&words).await.ok();
        if name == "three" {
            world.cli(&["queue", "element", "add", "work", "--reference", "42", "--data", "{}"]).await.ok();
        }
        let job = world.ended_job_of(name).await;
        assert_eq!(job.status, "DONE", "{name}: {}", job.reason);
        let listed = world.cli(&["job", "list", "--trigger", name, "-o", "json"]).await.ok().json();
        assert_eq!(listed["jobs"][0]["id"], job.id.as_str(), "{listed}");
    }
    let triggers = world.cli(&["trigger", "list", "-o", "json"]).await.ok().json();
    assert_eq!(triggers["triggers"].as_array().map(Vec::len), Some(3));
    Ok(())
}

async fn a_failed_robot_is_an_exit_code_of_its_own(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.shell("robot", "echo sorry >&2; exit 3");
    world.create(NewTrigger::scheduled("fails", &robot, "0 0 1 1 *")).await;
    world.cli(&["trigger", "run", "fails", "--wait"]).await.refused(7, &["FAILED", "JOB_FAILED"]);
    let job = world.ended_job_of("fails").await;
    assert_eq!((job.status.as_str(), job.exit_code), ("FAILED", Some(3)));
    let missing = NewTrigger::scheduled("nothing", "/no/such/robot.py".as_ref(), "0 0 1 1 *");
    world.create(missing).await;
    world.cli(&["trigger", "run", "nothing", "--wait"]).await.refused(7, &["/no/such/robot.py"]);
    Ok(())
}

async fn follow_prints_the_output_as_it_comes(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let gate = world.gate("half");
    let robot = world.shell("robot", &format!("echo first\n{}\necho second", gate.wait()));
    world.create(NewTrigger::scheduled("talks", &robot, "0 0 1 1 *")).await;
    let job = world.run_now("talks").await;
    orchestrator_tests::eventually("the first line is there", SOON, async || {
        anyhow::ensure!(world.output(&job.id).await?.stdout == "first\n", "it is not");
        Ok(())
    })
    .await;
    gate.open();
    let said = world.cli(&["job", "logs", &job.id, "--follow"]).await.ok();
    assert_eq!(said.stdout, "first\nsecond\n");
    Ok(())
}

//! A single trigger runs a real Python script, and a git repository.

use anyhow::Result;
use orchestrator_tests::{NewTrigger, SOON, World, instant, on_both_databases};

on_both_databases!(
    a_single_trigger_runs_a_python_script_once,
    a_single_trigger_waits_for_its_time,
    a_repository_runs_at_its_default_branch_its_branch_and_its_tag,
);

async fn a_single_trigger_runs_a_python_script_once(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.python(
        "robot",
        "print('arguments:', process_args, '| process:', process_name, '| key:', placeholder)\n\
         print('warning', file=sys.stderr)\n\
         job = call('JobService/Get', job=job_id)['job']\n\
         assert (job['status'], job['triggerId']) == ('RUNNING', trigger_id), job",
    );
    let trigger = world.create(NewTrigger::single("hello", &robot).args("{\"a\": \"ø 1\"}")).await;
    let job = world.ended_job_of("hello").await;

    assert_eq!((job.status.as_str(), job.exit_code), ("DONE", Some(0)), "{job:#?}");
    assert_eq!((job.worker_name.as_str(), job.attempt, job.trigger_id), ("here", 1, trigger.id));
    assert!(instant(job.start_time) <= instant(job.end_time) && instant(job.scheduled_at) <= instant(job.start_time));
    let output = world.output(&job.id).await?;
    assert_eq!(output.stdout, "arguments: {\"a\": \"ø 1\"} | process: hello | key: not-a-key\n");
    assert_eq!(output.stderr, "warning\n");
    assert!(output.complete);
    let trigger = world.trigger_becomes("hello", "DONE", SOON).await;
    assert_eq!(trigger.hold, "DONE");
    assert_eq!(world.jobs_of("hello").await?.len(), 1);
    Ok(())
}

async fn a_single_trigger_waits_for_its_time(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let ledger = world.ledger("started");
    let due = world.in_ms(1500);
    world.create(NewTrigger::single("later", &world.quick_robot(&ledger)).at(due)).await;
    assert_eq!(world.trigger("later").await?.status, "IDLE");
    let job = world.ended_job_of("later").await;
    assert_eq!((job.status.as_str(), instant(job.scheduled_at)), ("DONE", due));
    assert!(instant(job.start_time) >= due, "{job:#?}");
    assert_eq!(ledger.lines(), [job.id]);
    Ok(())
}

async fn a_repository_runs_at_its_default_branch_its_branch_and_its_tag(world: &World) -> Result<()> {
    let _worker = world.worker("here").slots(3).start().await;
    let says = |text: &str| World::python_text(&format!("print('{text}', os.path.exists('beside.txt'))"));
    let repository = world.repository("robots");
    let first = repository.commit(&[("main.py", &says("released")), ("beside.txt", "")]);
    repository.tag("v1");
    let newest = repository.commit(&[("main.py", &says("newest"))]);
    repository.branch("trial");
    let trial = repository.commit(&[("main.py", &says("trial"))]);
    repository.git(&["checkout", "--quiet", "main"]);

    for (name, branch, commit, text) in [
        ("default", None, newest, "newest True\n"),
        ("branch", Some("trial"), trial, "trial True\n"),
        ("tag", Some("v1"), first, "released True\n"),
    ] {
        let trigger = NewTrigger::single(name, "".as_ref()).git(&repository.url(), branch);
        world.create(trigger).await;
        let job = world.ended_job_of(name).await;
        assert_eq!((job.status.as_str(), job.commit), ("DONE", commit), "{name}: {}", job.reason);
        assert_eq!(world.output(&job.id).await?.stdout, text, "{name}");
    }
    Ok(())
}

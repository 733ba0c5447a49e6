//! A scheduled trigger runs a script and a repository by the clock.

use anyhow::{Result, ensure};
use chrono::Timelike as _;
use orchestrator_tests::{NewTrigger, World, eventually, instant, on_both_databases, seconds};

on_both_databases!(
    a_scheduled_trigger_runs_and_goes_on_with_its_expression,
    a_scheduled_trigger_runs_a_repository,
    an_instant_that_passed_while_no_server_ran_is_made_up_for_as_the_trigger_says,
);

async fn a_scheduled_trigger_runs_and_goes_on_with_its_expression(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let robot = world.python("robot", "print('scheduled')");
    let due = world.in_ms(1000);
    world.create(NewTrigger::scheduled("daily", &robot, "30 4 * * *").at(due)).await;
    let job = world.ended_job_of("daily").await;
    assert_eq!((job.status.as_str(), instant(job.scheduled_at)), ("DONE", due), "{}", job.reason);
    assert_eq!(world.output(&job.id).await?.stdout, "scheduled\n");
    let trigger = world.trigger("daily").await?;
    let next = instant(trigger.next_run);
    assert!(next > due && (next.hour(), next.minute(), next.second()) == (4, 30, 0), "{next}");
    assert_eq!(trigger.status, "IDLE");
    Ok(())
}

async fn a_scheduled_trigger_runs_a_repository(world: &World) -> Result<()> {
    let _worker = world.worker("here").start().await;
    let repository = world.repository("robots");
    let commit = repository.commit(&[("deep/main.py", &World::python_text("print(process_args)"))]);
    let trigger = NewTrigger::scheduled("nightly", "".as_ref(), "0 0 1 1 *").git(&repository.url(), Some("main"));
    world.create(trigger.args("from git").at(world.in_ms(500))).await;
    let job = world.ended_job_of("nightly").await;
    assert_eq!((job.status.as_str(), job.commit), ("DONE", commit), "{}", job.reason);
    assert_eq!(world.output(&job.id).await?.stdout, "from git\n");
    Ok(())
}

async fn an_instant_that_passed_while_no_server_ran_is_made_up_for_as_the_trigger_says(world: &World) -> Result<()> {
    let ledger = world.ledger("started");
    let robot = world.quick_robot(&ledger);
    let due = world.in_ms(1500);
    for missed in ["ONCE", "SKIP"] {
        let trigger = NewTrigger::scheduled(missed, &robot, "30 4 * * *").at(due);
        world.create(trigger.policies(|policies| missed.clone_into(&mut policies.missed))).await;
    }
    world.server().kill_9();
    // What a server can still see within a second of the instant is late, not missed.
    let missed = due + chrono::Duration::milliseconds(1500);
    eventually("the instant is missed", seconds(5), async || {
        ensure!(world.now() > missed, "it is to come");
        Ok(())
    })
    .await;
    world.server().start().await;
    let _worker = world.worker("here").start().await;

    let job = world.ended_job_of("ONCE").await;
    assert_eq!((job.status.as_str(), instant(job.scheduled_at)), ("DONE", due));
    let decisions = eventually("the decision not to run is recorded", seconds(5), async || {
        let decisions = world.decisions("SKIP").await?;
        ensure!(!decisions.is_empty(), "there is none");
        Ok(decisions)
    })
    .await;
    assert_eq!(decisions[0].decision, "MISSED");
    assert_eq!(instant(decisions[0].scheduled_at), due);
    assert_eq!(world.jobs_of("SKIP").await?.len(), 0);
    assert_eq!(ledger.lines(), [job.id]);
    Ok(())
}

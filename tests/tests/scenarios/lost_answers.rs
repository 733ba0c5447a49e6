//! Answers get lost on the way; the calls are repeated and have one effect.

use anyhow::{Result, ensure};
use orchestrator_tests::{Api, NewTrigger, SOON, World, eventually, on_both_databases, pb, refusal, seconds};
use uuid::Uuid;

on_both_databases!(
    every_answer_to_a_worker_may_be_lost_and_its_robot_runs_once,
    a_robot_that_repeats_its_claim_gets_the_same_element,
    a_command_whose_answer_is_lost_has_one_effect,
    a_repeated_claim_gets_the_same_grant,
    what_comes_with_a_stale_token_is_refused_and_changes_nothing,
);

async fn every_answer_to_a_worker_may_be_lost_and_its_robot_runs_once(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let _worker = world.worker("here").over(&wire).start().await;
    let ledger = world.ledger("started");
    let robot = world.shell("robot", &format!("{}\necho said", ledger.add("$job_id")));
    for method in ["ClaimJobs", "StartJob", "FinishJob", "AppendOutput"] {
        wire.lose_answers(method, 1);
        let started = ledger.lines().len();
        world.create(NewTrigger::single(method, &robot)).await;
        if method != "AppendOutput" {
            wire.has_lost(method, 1).await;
        }
        let job = world.first_job_of(method).await;
        let job = world.ended_within(&job.id, seconds(40)).await;
        assert_eq!(job.status, "DONE", "{method}: {}", job.reason);
        assert_eq!(&ledger.lines()[started..], std::slice::from_ref(&job.id), "{method}");
        eventually("the output arrives once", SOON, async || {
            let said = world.output(&job.id).await?.stdout;
            ensure!(said == "said\n", "{method}: {said:?}");
            Ok(())
        })
        .await;
    }
    Ok(())
}

async fn a_robot_that_repeats_its_claim_gets_the_same_element(world: &World) -> Result<()> {
    let worker = world.fake_worker("fake", 1).await;
    world.create(NewTrigger::single("robot", &world.shell("robot", "true"))).await;
    world.fill("work", 3).await;
    let job = worker.claim(1, seconds(5)).await?.remove(0);
    let robot = worker.start(&job).await?;
    let call = |repeat| pb::Call { request_id: CALL.to_owned(), repeat };
    let first = robot.claim("work", call(false)).await?;
    assert_eq!(first.as_ref().map(pb::QueueElement::reference), Some("0"));
    assert_eq!(robot.claim("work", call(true)).await?, first);
    let queue = world.queue("work").await?;
    assert_eq!((queue.new_count, queue.in_progress_count), (2, 1));

    let element = pb::NewElement { id: Uuid::new_v4().to_string(), ..pb::NewElement::default() };
    for repeat in [false, true] {
        let request =
            pb::CreateElementRequest { queue_name: "results".to_owned(), element: Some(element.clone()), repeat };
        robot.calls().create_queue_element(request).await?;
    }
    assert_eq!(world.elements("results").await?.len(), 1);
    Ok(())
}

async fn a_command_whose_answer_is_lost_has_one_effect(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let url = wire.url();
    let over_the_wire = [("ORCHESTRATOR_URL", url.as_str())];
    world.fill("work", 3).await;

    wire.lose_answers("Claim", 1);
    let said = world.cli_with(&["queue", "element", "claim", "work", "-o", "json"], "", &over_the_wire).await.ok();
    assert_eq!(said.json()["elements"][0]["reference"], "0", "{said}");
    let queue = world.queue("work").await?;
    assert_eq!((queue.new_count, queue.in_progress_count), (2, 1));

    wire.lose_answers("Create", 1);
    world.cli_with(&["queue", "element", "add", "work", "--reference", "new"], "", &over_the_wire).await.ok();
    assert_eq!(world.queue("work").await?.new_count, 3);

    world.create(NewTrigger::scheduled("robot", &world.shell("robot", "true"), "0 0 1 1 *")).await;
    wire.lose_answers("RunNow", 1);
    world.cli_with(&["trigger", "run", "robot"], "", &over_the_wire).await.ok();
    wire.has_lost("RunNow", 1).await;
    assert_eq!(world.jobs_of("robot").await?.len(), 1);
    Ok(())
}

async fn a_repeated_claim_gets_the_same_grant(world: &World) -> Result<()> {
    let worker = world.fake_worker("fake", 3).await;
    let robot = world.shell("robot", "true");
    for name in ["a", "b"] {
        world.create(NewTrigger::single(name, &robot)).await;
    }
    let call = |repeat| pb::Call { request_id: CALL.to_owned(), repeat };
    let first = worker.claim_as(1, seconds(5), call(false)).await?;
    assert_eq!(first.len(), 1);
    let again = worker.claim_as(1, seconds(5), call(true)).await?;
    assert_eq!(grants(&again), grants(&first));
    let robot = worker.start(&first[0]).await?;
    worker.start_again(&first[0], &robot).await?;
    assert_eq!(worker.finish(&first[0], "DONE").await?, "DONE");
    assert_eq!(worker.finish(&first[0], "DONE").await?, "DONE");
    let job = world.job(&first[0].job_id).await?;
    worker.finish(&first[0], "FAILED").await.err();
    assert_eq!(world.job(&first[0].job_id).await?, job, "the first end wins");
    let next = worker.claim(1, seconds(5)).await?;
    assert_ne!(grants(&next), grants(&first));
    Ok(())
}

const CALL: &str = "00000000-0000-4000-8000-000000000042";

fn grants(jobs: &[pb::Assignment]) -> Vec<(String, i64)> {
    jobs.iter().map(|job| (job.job_id.clone(), job.lease_token)).collect()
}

async fn what_comes_with_a_stale_token_is_refused_and_changes_nothing(world: &World) -> Result<()> {
    let worker = world.fake_worker("fake", 1).await;
    world.create(NewTrigger::single("robot", &world.shell("robot", "true"))).await;
    let granted = worker.claim(1, seconds(5)).await?.remove(0);
    assert_eq!(worker.finish(&granted, "NEVER_STARTED").await?, "QUEUED");
    let anew = worker.claim(1, seconds(5)).await?.remove(0);
    assert_eq!(anew.job_id, granted.job_id);
    assert!(anew.lease_token > granted.lease_token);
    let before = world.job(&anew.job_id).await?;
    for refused in [worker.start(&granted).await.map(drop).err(), worker.finish(&granted, "DONE").await.err()] {
        assert_eq!(refused.as_ref().map(refusal).as_deref(), Some("LEASE_LOST"), "{refused:?}");
    }
    let gone = worker.heartbeat(std::slice::from_ref(&granted)).await?.gone;
    assert_eq!(gone.len(), 1);
    assert_eq!(world.job(&anew.job_id).await?, before);

    world.fill("work", 1).await;
    let element = claim_element(&world.api()).await?;
    let set = |status: &str, token| pb::SetElementStatusRequest {
        element: element.id.clone(),
        status: status.to_owned(),
        message: None,
        lease_token: Some(token),
    };
    world.api().queues().set_status(set("NEW", element.lease_token)).await?;
    let again = claim_element(&world.api()).await?;
    assert!(again.lease_token > element.lease_token);
    let stale = world.api().queues().set_status(set("DONE", element.lease_token)).await.err();
    assert_eq!(stale.as_ref().map(refusal).as_deref(), Some("LEASE_LOST"), "{stale:?}");
    assert_eq!(world.elements("work").await?[0].status, "IN_PROGRESS");
    Ok(())
}

async fn claim_element(api: &Api) -> Result<pb::QueueElement> {
    let request = pb::ClaimElementsRequest {
        queue_name: "work".to_owned(),
        lease: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        call: Some(pb::Call { request_id: Uuid::new_v4().to_string(), repeat: false }),
        ..pb::ClaimElementsRequest::default()
    };
    let elements = api.queues().claim(request).await?.into_inner().elements;
    elements.into_iter().next().ok_or_else(|| anyhow::anyhow!("there is no element"))
}

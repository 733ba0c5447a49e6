//! The client for Rust programs, against a real server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use orchestrator_client::{
    Claim, Client, Code, ElementFilter, ElementStatus, Error, JobFilter, LogFilter, NewElement, Plaintext,
    RobotConnection, pb, trigger,
};
use orchestrator_tests::{World, on_both_databases, on_sqlite, seconds};

on_both_databases!(a_program_does_the_work_of_an_administrator, a_program_works_on_a_queue);
on_sqlite!(
    what_is_refused_has_a_stable_code,
    calls_whose_answers_are_lost_have_one_effect,
    what_was_removed_stays_removed_when_the_answer_is_lost,
    a_server_that_is_restarted_is_waited_for,
);

async fn client(world: &World) -> Result<Client> {
    let file = world.stage().file("client.token", format!("{}\n", world.admin_token()));
    Ok(Client::builder(world.server().url()).token_file(file).patience(seconds(40)).connect().await?)
}

async fn a_program_does_the_work_of_an_administrator(world: &World) -> Result<()> {
    let client = client(world).await?;
    let _worker = world.worker("robots").start().await;
    let robot = world.shell("robot", "echo \"got $process_args\"; echo oh >&2; exit ${process_args:-0}");
    let nightly = trigger::scheduled("nightly", "Nightly", &robot.to_string_lossy(), "0 2 * * *");
    let created = client.triggers().create(nightly).await?;
    assert_eq!((created.name.as_str(), created.status.as_str()), ("nightly", "IDLE"));
    let hour = client.triggers().preview("0 2 * * *", Some("UTC"), 2).await?;
    assert_eq!(hour[1] - hour[0], chrono::Duration::days(1));

    let job = client.triggers().run_now("nightly").await?;
    assert_eq!(client.jobs().wait(&job.id).await?.status, "DONE");
    let failed = client.triggers().run_now_with("nightly", "3").await?;
    let ended = client.jobs().wait(&failed.id).await?;
    assert_eq!((ended.status.as_str(), ended.exit_code), ("FAILED", Some(3)));
    let output = client.jobs().output(&failed.id).await?;
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"got 3\n"[..], &b"oh\n"[..]));
    let filter = JobFilter { trigger: Some("nightly".to_owned()), ..JobFilter::default() };
    let jobs = client.jobs().list(filter, 10).await?;
    assert_eq!(jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&failed.id, &job.id]);
    assert_eq!(client.jobs().list(JobFilter::default(), 1).await?.len(), 1);
    assert_eq!(client.triggers().disable("nightly").await?.status, "PAUSED");
    let mut held = client.triggers().get("nightly").await?;
    held.priority = 7;
    assert_eq!(client.triggers().update(held).await?.priority, 7);
    assert_eq!(client.triggers().enable("nightly").await?.status, "IDLE");
    client.triggers().delete("nightly").await?;
    assert!(client.triggers().list().await?.is_empty());

    client.constants().set("limit", "10").await?;
    assert_eq!(client.constants().get("limit").await?.value, "10");
    assert_eq!(client.constants().list().await?.len(), 1);
    client.constants().delete("limit").await?;
    client.credentials().set("mail", "ada", &Plaintext::new("pässword".to_owned())).await?;
    let mail = client.credentials().reveal("mail").await?;
    assert_eq!((mail.username.as_str(), mail.password.expose()), ("ada", "pässword"));
    assert!(!format!("{mail:?}").contains("pässword"));
    client.credentials().delete("mail").await?;
    assert!(client.credentials().list().await?.is_empty());
    let lines = client.logs().list(LogFilter { job: Some(failed.id), ..LogFilter::default() }, 10).await?;
    assert!(lines.iter().any(|line| line.log_level == "ERROR"), "{lines:?}");
    Ok(())
}

async fn a_program_works_on_a_queue(world: &World) -> Result<()> {
    let client = client(world).await?;
    let queues = client.queues();
    for number in 0..3 {
        queues.create("work", NewElement::new(number.to_string(), "{}")).await?;
    }
    let claim = Claim { count: 2, lease: Some(Duration::from_hours(1)), ..Claim::default() };
    let taken = queues.claim("work", claim).await?;
    assert_eq!(taken.iter().map(pb::QueueElement::reference).collect::<Vec<_>>(), ["0", "1"]);
    let done = queues.finish(&taken[0], ElementStatus::Done, Some("well")).await?;
    assert_eq!((done.status.as_str(), done.message()), ("DONE", "well"));

    // Somebody else makes the second one new again, and it is taken once more: the first claim is over.
    queues.set_status(&taken[1].id, ElementStatus::New, None).await?;
    queues.claim("work", Claim::default()).await?;
    let error = queues.finish(&taken[1], ElementStatus::Done, None).await.expect_err("the claim is over");
    assert_eq!(error.code(), Some(&Code::LeaseLost), "{error}");

    let ended = ElementFilter { statuses: vec![ElementStatus::Done], ..ElementFilter::default() };
    assert_eq!(queues.elements("work", ended.clone(), 10).await?.len(), 1);
    assert_eq!(queues.elements("work", ElementFilter::default(), 2).await?.len(), 2);
    assert_eq!(queues.retry(&[&taken[0].id]).await?, 1);
    assert!(queues.elements("work", ended, 10).await?.is_empty());
    queues.delete(&taken[0].id).await?;
    assert!(queues.get(&taken[0].id).await.expect_err("it is gone").is_not_found());
    let counts = queues.list().await?.pop().context("a queue")?;
    assert_eq!((counts.new_count, counts.in_progress_count), (1, 1));
    assert!(queues.claim("nothing", Claim::default()).await?.is_empty());
    Ok(())
}

async fn what_is_refused_has_a_stable_code(world: &World) -> Result<()> {
    let client = client(world).await?;
    let error = client.triggers().get("nobody").await.expect_err("nobody is there");
    assert_eq!(error.code(), Some(&Code::NotFound("TRIGGER".to_owned())));
    let bad = trigger::scheduled("bad", "bad", "/bad.py", "0 0 6 * * *");
    let error = client.triggers().create(bad).await.expect_err("six fields");
    assert_eq!(error.code(), Some(&Code::InvalidCron));
    let long = NewElement::new("x".repeat(101), "");
    let Err(Error::Refused(refusal)) = client.queues().create("work", long).await else { panic!("it is too long") };
    assert_eq!((refusal.code.clone(), refusal.field()), (Code::InvalidField, Some("reference")));
    assert!(refusal.to_string().contains("100"), "{refusal}");

    let viewer = world.token_of("USER", "viewer", "VIEWER").await;
    let viewer = Client::builder(world.server().url()).token(viewer).connect().await?;
    let error = viewer.constants().set("a", "b").await.expect_err("a viewer changes nothing");
    assert_eq!(error.code(), Some(&Code::RoleTooLow));
    Ok(())
}

async fn calls_whose_answers_are_lost_have_one_effect(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let client = Client::builder(wire.url()).token(world.admin_token()).connect().await?;
    wire.lose_answers("Create", 2);
    client.queues().create("work", NewElement::new("once", "")).await?;
    wire.has_lost("Create", 2).await;
    assert_eq!(world.elements("work").await?.len(), 1);

    wire.lose_answers("Claim", 1);
    let taken = client.queues().claim("work", Claim::default()).await?;
    assert_eq!(taken.first().map(pb::QueueElement::reference), Some("once"));

    wire.lose_answers("RunNow", 1);
    let robot = world.shell("robot", "true");
    client.triggers().create(trigger::scheduled("t", "t", &robot.to_string_lossy(), "0 0 1 1 *")).await?;
    client.triggers().run_now("t").await?;
    wire.has_lost("RunNow", 1).await;
    assert_eq!(world.jobs_of("t").await?.len(), 1);
    Ok(())
}

async fn what_was_removed_stays_removed_when_the_answer_is_lost(world: &World) -> Result<()> {
    let wire = world.wire().await;
    let server = || Client::builder(wire.url()).token(world.admin_token());
    let client = server().connect().await?;
    let robot = RobotConnection::for_development("Cleaner", server(), "").await?;
    let robots = robot.create_queue_element("work", NewElement::new("of the robot", "")).await?;
    wire.lose_an_answer_to_a_robot(0);
    robot.delete_queue_element(&robots.id).await?;
    wire.has_lost("RobotService", 1).await;
    let error = robot.delete_queue_element(&robots.id).await.expect_err("it is gone");
    assert!(error.is_not_found(), "{error}");

    let element = client.queues().create("work", NewElement::new("of the program", "")).await?;
    client.constants().set("limit", "10").await?;
    client.credentials().set("mail", "ada", &Plaintext::new("pässword".to_owned())).await?;
    client.triggers().create(trigger::scheduled("t", "t", "/robot.py", "0 0 1 1 *")).await?;
    wire.lose_an_answer_of("QueueService", 0);
    client.queues().delete(&element.id).await?;
    wire.lose_an_answer_of("ConstantService", 0);
    client.constants().delete("limit").await?;
    wire.lose_an_answer_of("CredentialService", 0);
    client.credentials().delete("mail").await?;
    wire.lose_an_answer_of("TriggerService", 0);
    client.triggers().delete("t").await?;
    for service in ["QueueService", "ConstantService", "CredentialService", "TriggerService"] {
        wire.has_lost(service, 1).await;
    }
    assert!(world.elements("work").await?.is_empty());
    assert!(client.constants().delete("limit").await.expect_err("it is gone").is_not_found());
    Ok(())
}

async fn a_server_that_is_restarted_is_waited_for(world: &World) -> Result<()> {
    let client = client(world).await?;
    client.constants().set("a", "1").await?;
    world.server().kill_9();
    let (found, ()) = tokio::join!(async { client.constants().get("a").await }, world.server().start());
    assert_eq!(found?.value, "1");

    let hasty = Client::builder(world.server().url()).token(world.admin_token()).patience(seconds(1)).connect().await?;
    world.server().kill_9();
    let error = hasty.constants().get("a").await.expect_err("nobody is there");
    ensure!(matches!(error, Error::Away { .. }), "{error}");
    let error = Client::builder(world.server().url()).token(world.admin_token()).connect().await.expect_err("nobody");
    ensure!(error.to_string().contains("refused"), "{error}");
    Ok(())
}

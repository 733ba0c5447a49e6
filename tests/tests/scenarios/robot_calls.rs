//! What robots may do while they run.

use anyhow::{Context as _, Result};
use orchestrator_tests::{FakeRobot, NewTrigger, World, on_both_databases, pb, refusal, seconds};
use tonic::Code;

on_both_databases!(
    a_robot_reads_and_changes_constants_and_credentials_and_it_is_audited,
    a_robots_bad_calls_are_refused_by_name,
    what_a_robot_logs_at_the_worst_moment_is_cut_not_lost,
    a_robot_holds_its_own_trigger,
);

/// A job that runs, and its robot.
async fn robot(world: &World) -> Result<FakeRobot> {
    let worker = world.fake_worker("fake", 1).await;
    world.create(NewTrigger::scheduled("trigger", &world.shell("robot", "true"), "0 0 1 1 *").args("words")).await;
    world.run_now("trigger").await;
    let job = worker.claim(1, seconds(5)).await?.into_iter().next().context("no job was granted")?;
    Ok(worker.start(&job).await?)
}

async fn a_robot_reads_and_changes_constants_and_credentials_and_it_is_audited(world: &World) -> Result<()> {
    world.cli(&["constant", "set", "limit", "ten"]).await.ok();
    world.cli_with(&["credential", "set", "mail", "--username", "ada"], "pässword 1\n", &[]).await.ok();
    let robot = robot(world).await?;
    let context = robot.calls().get_context(pb::GetContextRequest::default()).await?.into_inner();
    assert_eq!((context.process_name.as_str(), context.process_args.as_str()), ("trigger", "words"));
    let name = |name: &str| name.to_owned();
    let constant = robot.calls().get_constant(pb::RobotGetConstantRequest { name: name("limit") }).await?.into_inner();
    assert_eq!(constant.constant.map(|constant| constant.value).as_deref(), Some("ten"));
    let read = robot.calls().get_credential(pb::RobotGetCredentialRequest { name: name("mail") }).await?.into_inner();
    assert_eq!((read.username.as_str(), read.password.as_str()), ("ada", "pässword 1"));
    let constant = pb::RobotUpdateConstantRequest { name: name("limit"), value: name("eleven") };
    robot.calls().update_constant(constant).await?;
    let change =
        pb::RobotUpdateCredentialRequest { name: name("mail"), username: name("eve"), password: name("pässword 2") };
    robot.calls().update_credential(change).await?;

    assert_eq!(world.cli(&["constant", "get", "limit"]).await.ok().stdout, "eleven\n");
    let shown = world.cli(&["credential", "get", "mail", "--reveal", "-o", "json"]).await.ok().json();
    assert_eq!((&shown["credential"]["username"], &shown["password"]), (&"eve".into(), &"pässword 2".into()));
    for words in [&["credential", "get", "mail"][..], &["credential", "list", "-o", "json"]] {
        assert!(!world.cli(words).await.ok().stdout.contains("pässword"));
    }
    let request = pb::ListAuditRequest { subject: name("mail"), ..pb::ListAuditRequest::default() };
    let entries = world.api().admin().list_audit(request).await?.into_inner().entries;
    assert!(entries.iter().filter(|entry| entry.actor_kind == "JOB").count() >= 2, "read and change: {entries:#?}");
    assert!(entries.iter().all(|entry| !format!("{entry:?}").contains("pässword")), "{entries:#?}");
    Ok(())
}

async fn a_robots_bad_calls_are_refused_by_name(world: &World) -> Result<()> {
    let robot = robot(world).await?;
    let missing = robot.calls().get_constant(pb::RobotGetConstantRequest { name: "nobody".to_owned() }).await.err();
    let missing = missing.context("it was answered")?;
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.message().contains("nobody"), "{missing:?}");
    let missing = robot.calls().get_credential(pb::RobotGetCredentialRequest { name: "nobody".to_owned() }).await.err();
    assert_eq!(missing.map(|status| status.code()), Some(Code::NotFound));
    let element = pb::NewElement { data: Some("ø".repeat(2001)), ..pb::NewElement::default() };
    let request = pb::CreateElementRequest { queue_name: "q".to_owned(), element: Some(element), repeat: false };
    let long = robot.calls().create_queue_element(request).await.err().context("it was created")?;
    assert_eq!((long.code(), refusal(&long).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    for word in ["data", "2000", "2001"] {
        assert!(long.message().contains(word), "{long:?}");
    }
    robot.calls().is_pausing(pb::IsPausingRequest {}).await?;
    Ok(())
}

async fn what_a_robot_logs_at_the_worst_moment_is_cut_not_lost(world: &World) -> Result<()> {
    let robot = robot(world).await?;
    let context = robot.calls().get_context(pb::GetContextRequest::default()).await?.into_inner();
    let line = pb::NewLog {
        id: uuid::Uuid::new_v4().to_string(),
        log_time: None,
        log_level: "ERROR".to_owned(),
        log_message: format!("{}the end", "ø".repeat(9000)),
    };
    for _ in 0..2 {
        robot.calls().log(pb::LogRequest { logs: vec![line.clone()] }).await?;
    }
    let lines = world.log_of(&context.job_id).await?;
    assert_eq!(lines.len(), 1, "the same line twice is one");
    assert!(lines[0].starts_with("øøø") && lines[0].ends_with("the end"), "{}", lines[0]);
    assert!(lines[0].chars().count() <= 8000);
    Ok(())
}

async fn a_robot_holds_its_own_trigger(world: &World) -> Result<()> {
    let robot = robot(world).await?;
    robot.calls().pause(pb::PauseRequest {}).await?;
    assert!(robot.calls().is_pausing(pb::IsPausingRequest {}).await?.into_inner().pausing);
    assert_eq!(world.trigger("trigger").await?.hold, "PAUSED");
    Ok(())
}

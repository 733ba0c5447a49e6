//! Wrong, expired, revoked and foreign tokens.

use anyhow::{Result, ensure};
use orchestrator_tests::{Api, NewTrigger, SOON, World, eventually, on_both_databases, pb, seconds};
use tonic::Code;

on_both_databases!(
    a_wrong_token_is_refused,
    an_expired_token_is_refused,
    a_revoked_token_is_refused_within_five_seconds,
    a_token_does_what_its_kind_and_role_allow_and_no_more,
    a_worker_gets_no_effect_on_another_workers_job,
    a_worker_with_a_wrong_token_says_so_and_ends,
);

async fn a_wrong_token_is_refused(world: &World) -> Result<()> {
    let mut wrong = world.admin_token().to_owned();
    let last = wrong.pop();
    wrong.push(if last == Some('A') { 'B' } else { 'A' });
    for token in [wrong.as_str(), "orc_user_short", "nonsense"] {
        let said = world.cli_with(&["trigger", "list"], "", &[("ORCHESTRATOR_TOKEN", token)]).await;
        said.refused(4, &["token"]);
    }
    world.cli_with(&["trigger", "list"], "", &[("ORCHESTRATOR_TOKEN", "")]).await.refused(4, &["not signed in"]);
    Ok(())
}

async fn an_expired_token_is_refused(world: &World) -> Result<()> {
    let said = world.cli(&["token", "create", "user", "brief", "--lifetime", "1s", "-o", "json"]).await.ok().json();
    let secret = said["secret"].as_str().unwrap_or_default().to_owned();
    eventually("it expires", seconds(10), async || {
        let said = world.cli_with(&["trigger", "list"], "", &[("ORCHESTRATOR_TOKEN", &secret)]).await;
        ensure!(said.code == Some(4) && said.stderr.contains("expired"), "{said}");
        Ok(())
    })
    .await;
    Ok(())
}

async fn a_revoked_token_is_refused_within_five_seconds(world: &World) -> Result<()> {
    let secret = world.token_of("USER", "leaver", "OPERATOR").await;
    let api = Api::new(&world.server().url(), &secret);
    api.triggers().list(pb::ListTriggersRequest::default()).await?;
    world.cli(&["token", "revoke", "leaver", "--yes"]).await.ok();
    eventually("it is refused", seconds(6), async || {
        let refused = api.triggers().list(pb::ListTriggersRequest::default()).await.err();
        ensure!(refused.as_ref().map(tonic::Status::code) == Some(Code::Unauthenticated), "{refused:?}");
        Ok(())
    })
    .await;
    Ok(())
}

async fn a_token_does_what_its_kind_and_role_allow_and_no_more(world: &World) -> Result<()> {
    let robot = world.shell("robot", "true").display().to_string();
    world.create(NewTrigger::scheduled("there", robot.as_ref(), "0 0 1 1 *")).await;
    let create = ["trigger", "create", "single", "new", "--process", "p", "--path", &robot];
    let run_now = ["trigger", "run", "there"];
    let list = ["trigger", "list"];
    for (kind, role, allowed) in [
        ("USER", "VIEWER", [true, false, false]),
        ("USER", "OPERATOR", [true, true, false]),
        ("WORKER", "", [false, false, false]),
    ] {
        let secret = world.token_of(kind, &format!("some {role}"), role).await;
        let as_them = [("ORCHESTRATOR_TOKEN", secret.as_str())];
        for (command, allowed) in [&list[..], &run_now[..], &create[..]].into_iter().zip(allowed) {
            let said = world.cli_with(command, "", &as_them).await;
            assert_eq!(said.code, Some(if allowed { 0 } else { 4 }), "{kind} {role}: {said}");
        }
    }
    assert_eq!(world.api().triggers().list(pb::ListTriggersRequest::default()).await?.into_inner().triggers.len(), 1);
    let register = world.api().worker().register(pb::RegisterRequest::default()).await.err();
    assert_eq!(register.map(|status| status.code()), Some(Code::PermissionDenied));
    Ok(())
}

async fn a_worker_gets_no_effect_on_another_workers_job(world: &World) -> Result<()> {
    let holder = world.fake_worker("holder", 1).await;
    let stranger = world.fake_worker("stranger", 1).await;
    world.create(NewTrigger::single("robot", &world.shell("robot", "true")).only_on("holder")).await;
    let job = holder.claim(1, seconds(5)).await?.remove(0);
    let before = world.job(&job.job_id).await?;
    assert!(stranger.start(&job).await.is_err());
    assert!(stranger.finish(&job, "DONE").await.is_err());
    assert_eq!(stranger.heartbeat(std::slice::from_ref(&job)).await?.gone.len(), 1);
    assert_eq!(world.job(&job.job_id).await?, before);
    let robot = holder.start(&job).await?;
    robot.calls().get_context(pb::GetContextRequest::default()).await?;
    // Neither may a stranger speak for a robot whose token it has, nor the holder with a token that is none.
    let mistyped = format!("{}x", robot.token());
    for (worker, token) in [(&stranger, robot.token()), (&holder, mistyped.as_str())] {
        assert!(worker.robot(token).calls().get_context(pb::GetContextRequest::default()).await.is_err(), "{token}");
    }
    assert_eq!(holder.finish(&job, "DONE").await?, "DONE");
    let late = robot.calls().get_context(pb::GetContextRequest::default()).await.err();
    assert_eq!(late.map(|status| status.code()), Some(Code::Unauthenticated), "a job's token ends with the job");
    Ok(())
}

async fn a_worker_with_a_wrong_token_says_so_and_ends(world: &World) -> Result<()> {
    let worker = world.worker("here").install().await;
    let token = world.token_of("USER", "a person", "ADMIN").await;
    world.stage().file("worker-here/worker.token", token);
    worker.start();
    assert_eq!(worker.end_within(SOON).await.code(), Some(4), "{}", worker.words());
    Ok(())
}

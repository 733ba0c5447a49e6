//! Robots written for OpenOrchestrator, unchanged: in the style of each of its lines, in environments that have the real package
//! installed, under a worker and in the sandbox.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{
    Api, Database, NewTrigger, OPENORCHESTRATOR, PythonEnvironments, Sandbox, World, eventually, on_both_databases,
    on_postgres, on_sqlite, pb, robot_files, run, seconds,
};
use serde_json::{Value, json};

on_both_databases!(
    a_linear_robot_with_four_arguments_does_its_work,
    a_queue_robot_with_five_arguments_does_its_work,
    a_framework_robot_with_six_arguments_does_its_work,
);
on_postgres!(the_package_of_the_worker_wins_over_each_real_one);
on_sqlite!(the_package_of_the_worker_wins_under_uv);

/// Interpreters take their time on a busy machine.
const PATIENCE: Duration = seconds(60);

/// Waits for the good end of a trigger's job; its id.
async fn done(world: &World, trigger: &str) -> Result<String> {
    let job = world.first_job_of(trigger).await;
    let ended = world.ended_within(&job.id, PATIENCE).await;
    ensure!(ended.status == "DONE", "{trigger} is {}: {}", ended.status, ended.reason);
    Ok(job.id)
}

/// The robot imported what the worker carries, although another package of the name may be installed, and ended without a word
/// of that: not all of them would be seen in the state of a job that is done.
async fn assert_imported_ours(world: &World, job: &str, installed: Option<&str>) -> Result<()> {
    let stderr = world.output(job).await?.stderr;
    ensure!(stderr.is_empty(), "a robot in good order complains: {stderr}");
    let said = world.said_in_json(job).await?;
    let imported = said["imported"].as_str().unwrap_or_default();
    assert!(imported.contains("/data/python/"), "the worker's own package: {said}");
    assert_eq!(said["installed"].as_str(), installed, "what pip or uv has installed: {said}");
    Ok(())
}

async fn prepare_linear(world: &World) -> NewTrigger {
    world.cli(&["constant", "set", "Limit", "9"]).await.ok();
    world.cli_with(&["credential", "set", "Mail", "--username", "ada"], "pässword 1\n", &[]).await.ok();
    let robot = world.copy_of_robot("linear_four", "linear");
    let proof = world.stage().path("proof.json");
    let arguments = json!({ "months": ["maj", "juni"], "proof": proof }).to_string();
    NewTrigger::single("linear", &robot).args(&arguments)
}

async fn assert_linear_did_its_work(world: &World, job: &str) -> Result<()> {
    let lines = world.levels_of(job).await?;
    let levels: Vec<_> = lines.iter().map(|(level, _)| level.as_str()).collect();
    assert_eq!(levels, ["TRACE", "INFO", "ERROR", "INFO"]);
    assert_eq!(lines[0].1, "Process started");
    assert!(lines[1].1.starts_with("Limit is 9 since "), "{}", lines[1].1);
    let cut = &lines[2].1;
    assert!(
        cut.chars().count() <= 8000 && cut.contains("characters cut") && cut.ends_with("a long traceback"),
        "{cut}"
    );
    assert_eq!(world.cli(&["constant", "get", "Limit"]).await.ok().stdout, "10\n");
    let proof: Value = serde_json::from_slice(&std::fs::read(world.stage().path("proof.json"))?)?;
    assert_eq!(proof, json!(["ada", "pässword 1"]));
    let shown = world.cli(&["credential", "get", "Mail", "--reveal", "-o", "json"]).await.ok().json();
    assert_eq!((&shown["credential"]["username"], &shown["password"]), (&"ada".into(), &"pässword 1!".into()));
    let elements = world.elements("Rapporter").await?;
    let created: Vec<_> = elements.iter().map(|each| (each.reference.as_deref(), each.data.as_deref())).collect();
    assert_eq!(
        created,
        [(Some("maj"), Some("{\"m\\u00e5ned\": \"maj\"}")), (Some("juni"), Some("{\"m\\u00e5ned\": \"juni\"}"))]
    );
    assert!(elements.iter().all(|each| each.status == "NEW" && each.created_by.as_deref() == Some("linear")));
    Ok(())
}

async fn a_linear_robot_with_four_arguments_does_its_work(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let trigger = prepare_linear(world).await;
    world.create(trigger).await;
    let job = done(world, "linear").await?;
    assert_linear_did_its_work(world, &job).await?;
    assert_imported_ours(world, &job, None).await
}

async fn a_queue_robot_with_five_arguments_does_its_work(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let robot = world.copy_of_robot("queue_five", "queue");
    world.create(NewTrigger::scheduled("queue", &robot, "0 0 1 1 *")).await;
    world.run_now("queue").await;
    let job = done(world, "queue").await?;
    assert_queue_was_worked_on(world, &job).await?;
    assert_eq!(world.trigger("queue").await?.hold, "PAUSED", "the robot paused it");
    assert_imported_ours(world, &job, None).await
}

/// One element failed, four are done, and one is left because the robot paused its trigger.
async fn assert_queue_was_worked_on(world: &World, job: &str) -> Result<()> {
    let elements = world.elements("Fakturaer").await?;
    let statuses: Vec<_> = elements.iter().map(|each| each.status.as_str()).collect();
    assert_eq!(statuses, ["DONE", "DONE", "DONE", "FAILED", "DONE", "NEW"]);
    let message = elements[3].message.as_deref().unwrap_or_default();
    assert!(message.chars().count() <= 1000 && message.contains("characters cut"), "{message}");
    assert!(message.trim_end().ends_with("the amount is negative"), "{message}");
    let trigger = world.trigger("queue").await?;
    let lines = world.log_of(job).await?;
    assert_eq!(lines.last(), Some(&format!("Handled 4 of trigger {}", trigger.id)));
    assert!(lines.iter().any(|line| line.starts_with("2 is there already")), "{lines:?}");
    Ok(())
}

/// What the framework's queue holds before it runs.
const CASES: [(&str, &str); 5] = [("1", "good"), ("2", "business"), ("3", "good"), ("4", "crash"), ("5", "good")];

async fn fill_cases(world: &World) {
    for (reference, kind) in CASES {
        let data = json!({ "kind": kind }).to_string();
        let words = ["queue", "element", "add", "Sager", "--reference", reference, "--data", &data];
        world.cli(&words).await.ok();
    }
}

async fn assert_cases_were_worked_on(world: &World, job: &str) -> Result<()> {
    let elements = world.elements("Sager").await?;
    let statuses: BTreeMap<_, _> =
        elements.iter().map(|each| (each.reference.clone().unwrap_or_default(), each.status.clone())).collect();
    let expected = CASES
        .map(|(reference, kind)| (reference.to_owned(), if kind == "good" { "DONE" } else { "FAILED" }.to_owned()));
    assert_eq!(statuses, BTreeMap::from(expected));
    assert_eq!(elements[1].message.as_deref(), Some("2 has no case number"));
    assert!(elements[3].message.as_deref().is_some_and(|message| message.contains("the window did not open")));
    let lines = world.levels_of(job).await?;
    let errors = lines.iter().filter(|(level, _)| level == "ERROR").count();
    assert_eq!(errors, 1, "one application error, survived: {lines:?}");
    assert_eq!(lines.last().map(|(_, line)| line.as_str()), Some("Closing and opening applications"));
    Ok(())
}

async fn a_framework_robot_with_six_arguments_does_its_work(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let repository = world.repository("framework");
    let files = robot_files("framework_six");
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    repository.commit(&files);
    fill_cases(world).await;
    let trigger = NewTrigger::queue("framework", std::path::Path::new("-"), "Sager", 1).git(&repository.url(), None);
    world.create(trigger.args("arguments with \"quotes\"")).await;
    let job = done(world, "framework").await?;
    assert_cases_were_worked_on(world, &job).await?;
    let first = world.levels_of(&job).await?.into_iter().next().context("it logged nothing")?;
    assert_eq!(first, ("INFO".to_owned(), "framework begins, with arguments with \"quotes\"".to_owned()));
    assert_imported_ours(world, &job, None).await
}

async fn the_package_of_the_worker_wins_over_each_real_one(world: &World) -> Result<()> {
    let environments = PythonEnvironments::find();
    let own_python = |version: &&str| {
        let python = environments.python_with(version).display().to_string();
        format!("[processes.\"with {version}\".interpreters]\n\".py\" = [{python:?}]\n")
    };
    let processes: String = OPENORCHESTRATOR.iter().map(own_python).collect();
    let configuration = format!("allowed_paths = [\"/\"]\n{processes}");
    let _worker = world.worker("robots").slots(3).configured(&configuration).start().await;
    // Without the worker's package, the environments have the real ones.
    for version in OPENORCHESTRATOR {
        let found = std::process::Command::new(environments.python_with(version))
            .args(["-c", "import importlib.util as u; print(u.find_spec('OpenOrchestrator').origin)"])
            .env_remove("PYTHONPATH")
            .output()?;
        assert!(String::from_utf8_lossy(&found.stdout).contains("site-packages"), "{found:?}");
    }
    fill_cases(world).await;
    let robot = world.copy_of_robot("framework_six", "framework");
    for version in OPENORCHESTRATOR {
        let name = format!("with {version}");
        world.create(NewTrigger::single(&name, &robot)).await;
        let job = done(world, &name).await?;
        assert_imported_ours(world, &job, Some(version)).await?;
    }
    let first = world.first_job_of(&format!("with {}", OPENORCHESTRATOR[0])).await;
    assert_cases_were_worked_on(world, &first.id).await
}

/// The checkout makes its own environment, as the public template does.
const MAIN_WITH_UV: &str = r#"
import os, subprocess, sys
os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.exit(subprocess.run(["uv", "run", "--quiet", "python", "-m", "robot_framework", *sys.argv[1:]]).returncode)
"#;

async fn the_package_of_the_worker_wins_under_uv(world: &World) -> Result<()> {
    let environments = PythonEnvironments::find();
    let _worker = world.worker("robots").variables(environments.uv_variables()).start().await;
    for version in OPENORCHESTRATOR {
        let mut files = robot_files("framework_six");
        files.retain(|(name, _)| name != "main.py");
        files.push(("main.py".to_owned(), MAIN_WITH_UV.to_owned()));
        files.extend(environments.project_with(version).map(|(name, content)| (name.to_owned(), content)));
        let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
        let repository = world.repository(&format!("uv-{version}"));
        repository.commit(&files);
        let name = format!("uv with {version}");
        world.create(NewTrigger::single(&name, std::path::Path::new("-")).git(&repository.url(), None)).await;
        let job = done(world, &name).await?;
        assert_imported_ours(world, &job, Some(version)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn robots_of_each_style_run_in_the_sandbox() {
    run(World::prepare(Database::Sqlite, 1).await, async |world| {
        let data = world.stage().path("sandbox").display().to_string();
        let sandbox = Sandbox::start(world, &["--data", &data, "--no-sample", "-o", "json"]);
        let (url, token) = sandbox.for_scripts().await;
        let api = Api::new(&url, &token);
        let text = |text: &str| text.to_owned();
        let constant = pb::SetConstantRequest { name: text("Limit"), value: text("9"), create_only: true };
        api.constants().set(constant).await?;
        let credential = pb::SetCredentialRequest {
            name: text("Mail"),
            username: text("ada"),
            password: text("pässword 1"),
            create_only: true,
        };
        api.credentials().set(credential).await?;
        for (reference, kind) in CASES {
            let data = Some(json!({ "kind": kind }).to_string());
            let element = pb::NewElement { reference: Some(text(reference)), data, ..pb::NewElement::default() };
            let request = pb::CreateElementRequest { queue_name: text("Sager"), element: Some(element), repeat: false };
            api.queues().create(request).await?;
        }
        let arguments = json!({ "months": ["maj"], "proof": world.stage().path("proof.json") }).to_string();
        for robot in ["linear_four", "queue_five", "framework_six"] {
            let trigger = NewTrigger::single(robot, &world.copy_of_robot(robot, robot)).args(&arguments);
            let request = pb::CreateTriggerRequest { trigger: Some(trigger.message()), repeat: false, paused: false };
            api.triggers().create(request).await?;
        }
        eventually("the three robots are done", PATIENCE, async || {
            let jobs = api.jobs().list(pb::ListJobsRequest::default()).await?.into_inner().jobs;
            let done = jobs.iter().filter(|job| job.status == "DONE").count();
            ensure!(done == 3, "{jobs:#?}");
            Ok(())
        })
        .await;
        let statuses = async |queue: &str| -> Result<String> {
            let request = pb::ListElementsRequest { queue_name: text(queue), ..pb::ListElementsRequest::default() };
            let elements = api.queues().list(request).await?.into_inner().elements;
            Ok(elements.iter().map(|element| &element.status[..1]).collect())
        };
        assert_eq!(statuses("Sager").await?, "DFDFD");
        assert_eq!(statuses("Fakturaer").await?, "DDDFDN");
        assert_eq!(statuses("Rapporter").await?, "N");
        let proof: Value = serde_json::from_slice(&std::fs::read(world.stage().path("proof.json"))?)?;
        assert_eq!(proof, json!(["ada", "pässword 1"]), "what it read of the credential");
        let name = text("Mail");
        let mail = api.credentials().reveal(pb::RevealCredentialRequest { name }).await?.into_inner();
        assert_eq!(mail.password, "pässword 1!", "what it made of the credential");
        let name = text("Limit");
        let constant = api.constants().get(pb::GetConstantRequest { name }).await?.into_inner().constant;
        assert_eq!(constant.map(|constant| constant.value).as_deref(), Some("10"));
        let logs = api.logs().list(pb::ListLogsRequest::default()).await?.into_inner().logs;
        assert!(
            logs.iter().all(|line| line.log_level != "ERROR" || !line.log_message.contains("OpenOrchestrator")),
            "{logs:#?}"
        );
        assert_eq!(logs.iter().filter(|line| line.process_name == "linear_four").count(), 4);
        Ok(())
    })
    .await;
}

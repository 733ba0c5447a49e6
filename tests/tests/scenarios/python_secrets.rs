//! Where secrets are while a robot runs, and where they are not.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use orchestrator_tests::{
    Api, Database, NewTrigger, SOON, Sandbox, World, eventually, on_both_databases, pb, run, seconds,
};

on_both_databases!(secrets_are_nowhere_but_with_their_owners);

const PASSWORD: &str = "correct horse battery staple";

/// Reads a credential, starts a child as many robots do, and waits.
const ROBOT: &str = r#"
import os, subprocess, sys, time
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
if "child" not in sys.argv:
    sys.exit(subprocess.run([sys.executable, __file__, *sys.argv[1:], "child"]).returncode)
connection = OrchestratorConnection.create_connection_from_args()
credential = connection.get_credential("Mail")
assert credential.password == "correct horse battery staple"
connection.log_info(f"{connection!r} {credential!r} {credential.to_row_dict()}")
print(connection.__dict__.keys(), credential)
"#;

/// A running process.
struct Seen {
    pid: u32,
    arguments: Vec<u8>,
    environment: Vec<u8>,
}

/// All processes of this machine that may be looked at.
fn processes() -> Vec<Seen> {
    let read = |pid: u32, what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| Seen { pid, arguments: read(pid, "cmdline"), environment: read(pid, "environ") }).collect()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// As PostgreSQL shows bytes.
fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The value of a variable in an environment.
fn variable(environment: &[u8], name: &str) -> Option<String> {
    let entries = environment.split(|byte| *byte == 0);
    let mut values = entries.filter_map(|entry| std::str::from_utf8(entry).ok()?.strip_prefix(name)?.strip_prefix('='));
    values.next().map(str::to_owned)
}

/// Everything in these files, which may come and go.
fn contents(folder: &Path, found: &mut Vec<(std::path::PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            contents(&path, found);
        } else if let Ok(content) = std::fs::read(&path) {
            found.push((path, content));
        }
    }
}

/// What `ps` shows of all processes has none of the secrets; the robot's own token is in the environment of its job alone.
fn assert_not_shown(all: &[Seen], of_job: &BTreeSet<u32>, job_token: &str, secrets: &[&str]) {
    let me = std::process::id();
    for secret in secrets {
        assert!(secret.len() > 20, "{secret:?} is none");
        for seen in all.iter().filter(|seen| seen.pid != me) {
            assert!(!holds(&seen.arguments, secret), "in the arguments of {}", seen.pid);
            let own = of_job.contains(&seen.pid) && *secret == job_token;
            assert!(own || !holds(&seen.environment, secret), "in the environment of {}", seen.pid);
        }
    }
}

#[tokio::test]
async fn secrets_are_in_no_list_of_processes_of_a_sandbox() {
    run(World::prepare(Database::Sqlite, 1).await, async |world| {
        let data = world.stage().path("sandbox").display().to_string();
        let sandbox = Sandbox::start(world, &["--data", &data, "--no-sample", "-o", "json"]);
        let (url, token) = sandbox.for_scripts().await;
        let api = Api::new(&url, &token);
        let credential = pb::SetCredentialRequest {
            name: "Mail".to_owned(),
            username: "ada".to_owned(),
            password: PASSWORD.to_owned(),
            create_only: true,
        };
        api.credentials().set(credential).await?;
        let (ledger, gate) = (world.ledger("read"), world.gate("looked"));
        let tell = ledger.add_in_python("connection.job_id");
        let robot = format!("{ROBOT}\n{tell}\n{}\n", gate.wait_in_python());
        let trigger = NewTrigger::single("secretive", &world.stage().file("robot.py", robot));
        let request = pb::CreateTriggerRequest { trigger: Some(trigger.message()), repeat: false, paused: false };
        api.triggers().create(request).await?;
        let job = ledger.is_written().await;
        let of_job: BTreeSet<u32> = world.processes_of(&job).into_iter().collect();
        let all = processes();
        let robot = all.iter().find(|seen| of_job.contains(&seen.pid)).context("the robot runs")?;
        let job_token = variable(&robot.environment, "ORCHESTRATOR_JOB_TOKEN").context("the robot has its token")?;
        assert_not_shown(&all, &of_job, &job_token, &[&job_token, &token, PASSWORD]);
        gate.open();
        Ok(())
    })
    .await;
}

async fn secrets_are_nowhere_but_with_their_owners(world: &World) -> Result<()> {
    let worker = world.worker("robots").start().await;
    world.cli_with(&["credential", "set", "Mail", "--username", "ada"], &format!("{PASSWORD}\n"), &[]).await.ok();
    let gate = world.gate("looked");
    let body = format!("{ROBOT}\n{}\n", gate.wait_in_python());
    let robot = world.stage().file("robot.py", body);
    world.create(NewTrigger::single("secretive", &robot).args("harmless")).await;
    let job = world.running_job_of("secretive").await;
    eventually("the robot has read the credential", SOON, async || {
        ensure!(!world.log_of(&job.id).await?.is_empty(), "it has logged nothing");
        Ok(())
    })
    .await;

    let of_job: BTreeSet<u32> = world.processes_of(&job.id).into_iter().collect();
    assert!(of_job.len() >= 2, "the robot and its child: {of_job:?}");
    let all = processes();
    let robot = all.iter().find(|seen| of_job.contains(&seen.pid)).context("the robot runs")?;
    let job_token = variable(&robot.environment, "ORCHESTRATOR_JOB_TOKEN").context("the robot has its token")?;
    let worker_token = std::fs::read_to_string(world.stage().path("worker-robots/worker.token"))?.trim().to_owned();
    let key_file = std::fs::read_to_string(world.stage().path("orchestrator.key"))?;
    let key = key_file.split_whitespace().max_by_key(|word| word.len()).context("the key file holds a key")?.to_owned();
    let secrets: &[&str] = &[&job_token, &worker_token, &key, PASSWORD];
    assert_not_shown(&all, &of_job, &job_token, secrets);
    gate.open();
    assert_eq!(world.ended_within(&job.id, seconds(60)).await.status, "DONE");

    // Neither the words of server and worker, nor what the worker keeps.
    let mut files = Vec::new();
    contents(&world.stage().path(""), &mut files);
    let expected = ["worker-robots/worker.token", "orchestrator.key"];
    let others = files.iter().filter(|(path, _)| !expected.iter().any(|known| path.ends_with(known)));
    for (path, content) in others.filter(|(path, _)| !path.ends_with("robot.py")) {
        for secret in secrets {
            assert!(!holds(content, secret), "in {}", path.display());
        }
    }
    assert!(worker.words().contains(&job.id), "the worker did log");
    // Nor anything that the database can be asked for.
    let tables =
        ["jobs", "logs", "job_output", "triggers", "credentials", "constants", "audit", "tokens", "workers", "queues"];
    for table in tables {
        let rows = world.sql(&format!("SELECT * FROM {table}"));
        for secret in secrets {
            assert!(!rows.contains(*secret) && !rows.contains(&hexadecimal(secret)), "in table {table}");
        }
    }
    Ok(())
}

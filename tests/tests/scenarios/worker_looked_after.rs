//! An agent is looked after from its own machine: its status, draining it, and having the machine start it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, SOON, Said, Worker, World, eventually, on_sqlite, program};

on_sqlite!(
    its_status_is_told_while_it_works_when_its_server_is_away_and_after_its_end,
    it_is_drained_with_its_own_token_and_takes_jobs_again,
    whoever_drains_it_may_wait_until_it_has_no_job,
    a_service_is_a_unit_that_is_enabled_and_started,
);

async fn agent(world: &World, arguments: &[&str]) -> Said {
    world.run_program(&program("orchestrator-worker"), arguments, &[]).await
}

async fn status(world: &World, worker: &Worker) -> Said {
    agent(world, &["status", "--data", &worker.data().to_string_lossy(), "-o", "json"]).await
}

async fn its_status_is_told_while_it_works_when_its_server_is_away_and_after_its_end(world: &World) -> Result<()> {
    let worker = world.worker("rpa-07").slots(3).start().await;
    let (ledger, gate) = (world.ledger("started"), world.gate("end"));
    world.create(NewTrigger::single("patient", &world.patient_robot(&ledger, &gate))).await;
    let job = world.running_job_of("patient").await;
    let told = eventually("the job is told", SOON, async || {
        let told = status(world, &worker).await.ok().json();
        ensure!(told["jobs"][0]["pid"].is_u64(), "{told}");
        Ok(told)
    })
    .await;
    assert_eq!((&told["running"], &told["jobs"][0]["jobId"]), (&true.into(), &job.id.as_str().into()));
    let of_agent = &told["agent"];
    assert_eq!(
        (&of_agent["worker"], &of_agent["slots"], &of_agent["pid"]),
        (&"rpa-07".into(), &3.into(), &worker.pid().into())
    );
    assert_eq!((&of_agent["activity"], &of_agent["connected"]), (&"WORKING".into(), &true.into()));
    assert_eq!(of_agent["server"], world.server().url());

    world.server().kill_9();
    eventually("it tells that its server is away", Duration::from_secs(20), async || {
        let told = status(world, &worker).await;
        ensure!(told.code == Some(6) && told.json()["agent"]["connected"] == false, "{told}");
        Ok(())
    })
    .await;
    world.server().start().await;
    eventually("it tells that its server is back", Duration::from_secs(20), async || {
        ensure!(status(world, &worker).await.code == Some(0), "it does not");
        Ok(())
    })
    .await;
    gate.open();
    world.ended(&job.id).await;
    worker.ask_to_stop();
    worker.end_within(Duration::from_secs(30)).await;
    let gone = status(world, &worker).await;
    assert_eq!(
        (gone.code, &gone.json()["running"], &gone.json()["jobs"]),
        (Some(3), &false.into(), &serde_json::json!([]))
    );
    let nowhere = agent(world, &["status", "--data", "nowhere"]).await;
    ensure!(nowhere.code == Some(3) && nowhere.stdout.contains("none runs in nowhere"), "{nowhere}");
    Ok(())
}

async fn it_is_drained_with_its_own_token_and_takes_jobs_again(world: &World) -> Result<()> {
    let worker = world.worker("rpa-07").start().await;
    let (url, token) = (world.server().url(), worker.token_file().to_string_lossy().into_owned());
    let drain = ["drain", "--server", &url, "--token-file", &token, "-o", "json"];
    assert_eq!(agent(world, &drain).await.ok().json()["activeJobs"], 0);
    let tells = async |activity: &str| {
        eventually("the agent tells what it was asked for", SOON, async || {
            let told = status(world, &worker).await.ok().json();
            ensure!(told["agent"]["activity"] == activity, "{told}");
            Ok(())
        })
        .await;
    };
    tells("DRAINING").await;
    assert_eq!(world.shown_worker("rpa-07").await?.state, "DRAINING");
    agent(world, &[&drain[..], &["--undo"]].concat()).await.ok();
    tells("WORKING").await;
    let trail = world.cli(&["audit", "list", "--actor", "rpa-07", "-o", "json"]).await.ok().json();
    let actions: Vec<_> =
        trail["entries"].as_array().into_iter().flatten().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["worker.resume", "worker.drain"]);

    // A token that has never been a worker's, and one that is no worker's at all.
    let never = world.stage().file("never.token", world.worker_token("never").await);
    let user = world.stage().file("user.token", world.token_of("USER", "anna", "ADMIN").await);
    for (file, code) in [(never, 3), (user, 4)] {
        let refused = agent(world, &["drain", "--server", &url, "--token-file", &file.to_string_lossy()]).await;
        ensure!(refused.code == Some(code), "{refused}");
    }
    Ok(())
}

/// A way to drain a worker and to let it go on: the program with its arguments.
struct Way<'a> {
    program: &'static str,
    drain: Vec<&'a str>,
    undo: Vec<&'a str>,
}

async fn whoever_drains_it_may_wait_until_it_has_no_job(world: &World) -> Result<()> {
    let worker = world.worker("rpa-07").start().await;
    let (url, token) = (world.server().url(), worker.token_file().to_string_lossy().into_owned());
    let own = ["drain", "--server", &url, "--token-file", &token];
    let wire = world.wire().await;
    for (round, way) in [
        Way { program: "orchestrator-worker", drain: own.to_vec(), undo: [&own[..], &["--undo"]].concat() },
        Way {
            program: "orchestrator",
            drain: vec!["worker", "drain", "rpa-07"],
            undo: vec!["worker", "resume", "rpa-07"],
        },
    ]
    .iter()
    .enumerate()
    {
        let admin = world.token_of("USER", &format!("anna-{round}"), "ADMIN").await;
        let run = async |arguments: &[&str]| {
            let url = wire.url();
            let variables = [("ORCHESTRATOR_URL", url.as_str()), ("ORCHESTRATOR_TOKEN", admin.as_str())];
            world.run_program(&program(way.program), arguments, &variables).await
        };
        let wait = [&way.drain[..], &["--wait"]].concat();
        let idle = run(&[&wait[..], &["-o", "json"]].concat()).await.ok().json();
        ensure!(idle["activeJobs"] == 0 || idle["worker"]["activeJobs"] == 0, "nothing to wait for: {idle}");
        run(&way.undo).await.ok();

        let name = format!("patient-{round}");
        let (ledger, gate) = (world.ledger(&name), world.gate(&name));
        world.create(NewTrigger::single(&name, &world.patient_robot(&ledger, &gate))).await;
        let job = world.running_job_of(&name).await;
        let late = run(&[&wait[..], &["--timeout", "200ms"]].concat()).await;
        ensure!(late.code == Some(6) && late.stderr.contains("1 job"), "{late}");
        assert_eq!(world.shown_worker("rpa-07").await?.state, "DRAINING", "it goes on to drain");

        let undone = async {
            drained(world).await;
            run(&way.undo).await.ok();
        };
        run(&way.undo).await.ok();
        let (refused, ()) = tokio::join!(run(&wait), undone);
        ensure!(refused.code == Some(5) && refused.stderr.contains("take jobs again"), "{refused}");

        let end = async {
            drained(world).await;
            gate.open();
        };
        let (waited, ()) = tokio::join!(run(&wait), end);
        waited.ok();
        assert_eq!(world.ended(&job.id).await.status, "DONE");
        run(&way.undo).await.ok();
    }
    ensure!(wire.calls("GetWorker") > 0 && wire.calls("ListWorkers") == 0, "whoever waits looks at one worker alone");
    let unasked = agent(world, &[&own[..], &["--timeout", "1s"]].concat()).await;
    ensure!(unasked.code == Some(2) && unasked.stderr.contains("--wait"), "{unasked}");
    Ok(())
}

/// Until the worker takes nothing new.
async fn drained(world: &World) {
    eventually("the worker drains", SOON, async || {
        ensure!(world.shown_worker("rpa-07").await?.state == "DRAINING", "it takes jobs");
        Ok(())
    })
    .await;
}

/// Answers as systemd would, and writes down what it was asked.
const SYSTEMCTL: &str = "#!/bin/sh\n\
    echo \"$*\" >> \"$HOME/asked\"\n\
    case \"$*\" in *show*) printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\nMainPID=4711\\n';; esac\n";

async fn a_service_is_a_unit_that_is_enabled_and_started(world: &World) -> Result<()> {
    let home = world.stage().folder("home");
    let tools = world.stage().folder("tools");
    let systemctl = world.stage().file("tools/systemctl", SYSTEMCTL);
    std::fs::set_permissions(systemctl, std::fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", tools.display(), std::env::var("PATH")?);
    let run = async |arguments: &[&str]| {
        let variables = [("PATH", path.as_str()), ("XDG_CONFIG_HOME", "")];
        world.run_program(&program("orchestrator-worker"), arguments, &variables).await
    };
    let unit = home.join(".config/systemd/user/orchestrator-worker.service");
    let install =
        ["service", "install", "--user", "--server", "http://127.0.0.1:1", "--data", "machine", "--slots", "2"];
    let printed = run(&[&install[..], &["--print"]].concat()).await.ok();
    ensure!(!unit.exists(), "printing installs nothing");
    let data = world.stage().path("machine").display().to_string();
    ensure!(
        printed.stdout.contains(&format!("start --data {data} --server http://127.0.0.1:1 --slots 2")),
        "{printed}"
    );

    let installed = run(&install).await.ok();
    ensure!(installed.stdout.contains("orchestrator-worker enroll"), "no token is kept yet: {installed}");
    assert_eq!(std::fs::read_to_string(&unit)?.trim_end(), printed.stdout.trim_end());
    let asked = || std::fs::read_to_string(home.join("asked"));
    let begin = "--user --version\n--user daemon-reload\n--user enable --now orchestrator-worker\n";
    assert_eq!(asked()?, begin);

    let other = [&install[..], &["--exclusive"]].concat();
    let refused = run(&other).await;
    ensure!(refused.code == Some(5) && refused.stderr.contains("--replace"), "{refused}");
    run(&[&other[..], &["--replace"]].concat()).await.ok();
    ensure!(std::fs::read_to_string(&unit)?.contains("--exclusive"), "it was not replaced");
    ensure!(asked()?.ends_with("--user restart orchestrator-worker\n"), "what runs is the old one");

    let told = run(&["service", "status", "--user", "-o", "json"]).await.ok().json();
    assert_eq!((&told["state"], &told["startsByItself"], &told["pid"]), (&"active".into(), &true.into(), &4711.into()));
    let unasked = run(&["service", "uninstall", "--user"]).await;
    ensure!(unasked.code == Some(1) && unasked.stderr.contains("--yes") && unit.exists(), "{unasked}");
    run(&["service", "uninstall", "--user", "--yes"]).await.ok();
    ensure!(!unit.exists() && asked()?.contains("--user disable --now orchestrator-worker"), "it is still there");
    let missing = run(&["service", "uninstall", "--user", "--yes"]).await;
    ensure!(missing.code == Some(3), "{missing}");

    // A unit of somebody else's is left alone.
    std::fs::write(&unit, "[Unit]\n")?;
    let foreign = run(&["service", "uninstall", "--user", "--yes"]).await;
    ensure!(foreign.code == Some(5) && unit.exists(), "{foreign}");
    let bad = run(&["service", "install", "--user", "--name", "../evil"]).await;
    ensure!(bad.code == Some(2), "{bad}");
    Ok(())
}

//! How Python robots are started: their arguments, their folder, their interpreter, their encoding.

use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_tests::{NewTrigger, World, on_postgres, on_sqlite, seconds};
use serde_json::{Value, json};

on_postgres!(arguments_arrive_in_their_places_and_untouched);
on_sqlite!(
    the_folder_is_that_of_the_script_or_the_checkout,
    the_interpreter_is_found_as_configured,
    everything_is_utf_8_whatever_the_locale,
    what_the_worker_has_on_its_path_stays_behind_the_package,
    a_package_that_somebody_touched_is_healed_before_the_next_start,
);

const PATIENCE: Duration = seconds(60);

/// Tells how it was started.
const ROBOT: &str = r#"
import json, locale, os, sys
import OpenOrchestrator
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "executable": sys.executable, "path": sys.path[1:4],
    "imported": OpenOrchestrator.__file__, "encodings": [sys.stdout.encoding, locale.getpreferredencoding(), sys.getfilesystemencoding()],
    "python": os.environ["PYTHONPATH"].split(os.pathsep), "flags": list(sys.flags),
}))
"#;

/// Runs the trigger's job; what its robot tells.
async fn told(world: &World, trigger: NewTrigger) -> Result<(String, Value)> {
    let created = world.create(trigger).await;
    let job = world.first_job_of(&created.name).await;
    let ended = world.ended_within(&job.id, PATIENCE).await;
    ensure!(ended.status == "DONE", "it is {}: {}", ended.status, ended.reason);
    Ok((job.id.clone(), world.said_in_json(&job.id).await?))
}

async fn arguments_arrive_in_their_places_and_untouched(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let robot = world.stage().file("robot.py", ROBOT);
    let odd = "{\"a\": 'b'}\n\\\" $HOME `id` %PATH% * ? ; | & > < ~ ! # 😀 løn\t\u{202e} ";
    let long = odd.to_owned() + &"æ".repeat(1000 - odd.chars().count());
    for (number, arguments) in [odd, &long, "", " ", "--help"].into_iter().enumerate() {
        let name = format!("Fødselsdag {number}");
        let mut trigger = NewTrigger::single(&name, &robot);
        if !arguments.is_empty() {
            trigger = trigger.args(arguments);
        }
        let (job, said) = told(world, trigger).await?;
        let argv: Vec<_> = said["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let trigger = world.trigger(&name).await?.id;
        assert_eq!(argv.len(), 7, "{argv:?}");
        assert_eq!((argv[1], argv[3], argv[4]), (name.as_str(), "not-a-key", arguments));
        assert!(argv[2].starts_with("http://127.0.0.1:"), "{argv:?}");
        assert_eq!((argv[5], argv[6]), (trigger.as_str(), job.as_str()));
    }
    Ok(())
}

async fn the_folder_is_that_of_the_script_or_the_checkout(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let folder = world.stage().folder("mine");
    let robot = world.stage().file("mine/robot.py", ROBOT);
    let (_, said) = told(world, NewTrigger::single("script", &robot)).await?;
    assert_eq!(said["cwd"], json!(folder.canonicalize()?));
    let repository = world.repository("repository");
    repository.commit(&[("deep/main.py", ROBOT), ("data.txt", "here")]);
    let trigger = NewTrigger::single("checkout", std::path::Path::new("-")).git(&repository.url(), None);
    let (_, said) = told(world, trigger).await?;
    let (cwd, file) = (said["cwd"].as_str().unwrap_or_default(), said["argv"][0].as_str().unwrap_or_default());
    assert!(cwd.contains("/checkouts/"), "{said}");
    assert_eq!(std::path::Path::new(file).file_name().and_then(|name| name.to_str()), Some("main.py"));
    assert!(file.ends_with("/deep/main.py"), "{file}");
    Ok(())
}

async fn the_interpreter_is_found_as_configured(world: &World) -> Result<()> {
    let python = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()?;
    let python = String::from_utf8(python.stdout)?.trim().to_owned();
    let bin = world.stage().folder("bin");
    std::os::unix::fs::symlink(&python, bin.join("my-python"))?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH")?);
    let configuration = format!(
        "allowed_paths = [\"/\"]\n\
         [interpreters]\n\".py\" = [\"my-python\", \"-X\", \"dev\"]\n\
         [processes.\"Absolute Path\".interpreters]\n\".py\" = [{python:?}]\n\
         [processes.gone.interpreters]\n\".py\" = [\"/nowhere/python\"]\n"
    );
    let worker = world.worker("robots").configured(&configuration).variables([("PATH".to_owned(), path)]);
    let _worker = worker.start().await;
    let robot = world.stage().file("robot.py", ROBOT);
    // The third flag from the end is `dev_mode`: the name comes with arguments.
    let (_, by_name) = told(world, NewTrigger::single("by name", &robot)).await?;
    let (_, by_path) = told(world, NewTrigger::single("Absolute Path", &robot)).await?;
    assert!(by_name["flags"].as_array().is_some_and(|flags| flags.contains(&json!(true))), "{by_name}");
    assert!(by_path["flags"].as_array().is_some_and(|flags| !flags.contains(&json!(true))), "{by_path}");
    assert_eq!(by_path["executable"], json!(python));
    world.create(NewTrigger::single("gone", &robot)).await;
    let ended = world.ended_job_of("gone").await;
    assert_eq!(ended.status, "FAILED");
    assert!(ended.reason.contains("/nowhere/python"), "{}", ended.reason);
    Ok(())
}

async fn everything_is_utf_8_whatever_the_locale(world: &World) -> Result<()> {
    let locale = ["LC_ALL", "LANG", "PYTHONCOERCECLOCALE"].map(|name| (name.to_owned(), "POSIX".to_owned()));
    let _worker = world.worker("robots").variables(locale).start().await;
    let robot = world.stage().file(
        "robot.py",
        r#"
import sys
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection
connection = OrchestratorConnection.create_connection_from_args()
with open("blåbær.txt", "w") as file:
    file.write("rødgrød 😀")
with open("blåbær.txt") as file:
    connection.log_info(file.read() + connection.process_arguments)
print("på 😀", "half \udce6")
print("fejl på", file=sys.stderr)
"#,
    );
    world.create(NewTrigger::single("utf-8", &robot).args(" med fløde 🍓")).await;
    let job = world.ended_job_of("utf-8").await;
    assert_eq!(job.status, "DONE", "{}", job.reason);
    assert_eq!(world.log_of(&job.id).await?, ["rødgrød 😀 med fløde 🍓"]);
    let output = world.output(&job.id).await?;
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("på 😀 half \\udce6\n", "fejl på\n"));
    Ok(())
}

async fn what_the_worker_has_on_its_path_stays_behind_the_package(world: &World) -> Result<()> {
    let (mine, other) = (world.stage().folder("mine"), world.stage().folder("other"));
    std::fs::create_dir(mine.join("OpenOrchestrator"))?;
    std::fs::write(mine.join("OpenOrchestrator/__init__.py"), "raise SystemExit('the wrong one')")?;
    let path = format!("{}:{}", mine.display(), other.display());
    let _worker = world.worker("robots").variables([("PYTHONPATH".to_owned(), path)]).start().await;
    let robot = world.stage().file("robot.py", ROBOT);
    let (_, said) = told(world, NewTrigger::single("path", &robot)).await?;
    let python: Vec<_> = said["python"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(python.len(), 3, "{said}");
    assert!(python[0].contains("/data/python/"), "{said}");
    assert_eq!(python[1..], [mine.to_str().unwrap_or_default(), other.to_str().unwrap_or_default()]);
    Ok(())
}

async fn a_package_that_somebody_touched_is_healed_before_the_next_start(world: &World) -> Result<()> {
    let _worker = world.worker("robots").start().await;
    let robot = world.stage().file("robot.py", ROBOT);
    let (_, said) = told(world, NewTrigger::single("first", &robot)).await?;
    let init = said["imported"].as_str().unwrap_or_default().to_owned();
    std::fs::write(&init, "raise SystemExit('touched')")?;
    let folder = std::path::Path::new(&init).ancestors().nth(2).unwrap_or_else(|| std::path::Path::new("/"));
    std::fs::write(folder.join("json.py"), "raise SystemExit('in the way')")?;
    std::fs::remove_file(folder.join("OpenOrchestrator/orchestrator_connection/connection.py"))?;
    let (_, said) = told(world, NewTrigger::single("second", &robot)).await?;
    assert_eq!(said["imported"], json!(init));
    assert!(!folder.join("json.py").exists());
    assert!(folder.join("OpenOrchestrator/orchestrator_connection/connection.py").exists());
    Ok(())
}

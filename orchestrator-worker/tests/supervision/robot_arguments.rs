//! The arguments of a robot arrive as OpenOrchestrator would give them.

use orchestrator_core::id::{JobId, TriggerId};
use orchestrator_worker::interpreter::{Interpreters, KEY_PLACEHOLDER, RobotArguments};
use orchestrator_worker::process::Children;

use crate::world::World;

const ROBOT: &str = "import json, sys\njson.dump(sys.argv, open('argv.json', 'w'))\n";

async fn argv_of(process_args: &str) -> (Vec<String>, Vec<String>) {
    let world = World::new().await;
    let robot = world.write("robot/main.py", ROBOT);
    let arguments = RobotArguments {
        process_name: "Fødselsdag",
        endpoint: "http://127.0.0.1:8421",
        process_args,
        trigger_id: TriggerId::generate(),
        job_id: JobId::generate(),
    };
    let start = Interpreters::default().command_for(&robot).expect("a rule");
    let mut spec = world.spec(arguments.job_id, &["replaced"]);
    spec.program = start.program;
    spec.args = start.args.into_iter().chain(arguments.to_args()).collect();
    let mut process = world.launcher.spawn(&spec).expect("it starts");
    assert!(process.wait().await.expect("an end").is_success());
    process.sweep(Children::Kill).await;
    let written = std::fs::read(world.path("argv.json")).expect("arguments are written");
    let argv = serde_json::from_slice(&written).expect("a list of texts");
    let (trigger, job) = (arguments.trigger_id.to_string(), arguments.job_id.to_string());
    let robot = robot.to_str().expect("text");
    let expected =
        [robot, "Fødselsdag", "http://127.0.0.1:8421", KEY_PLACEHOLDER, process_args, &trigger, &job].map(String::from);
    (argv, expected.to_vec())
}

#[tokio::test]
async fn positions_are_kept_when_there_are_no_process_arguments() {
    let (argv, expected) = argv_of("").await;
    assert_eq!(argv, expected);
}

#[tokio::test]
async fn process_arguments_are_one_value_and_stay_as_they_are() {
    let text = "{\"a\": 'b'}\n\\\" $HOME `id` %PATH% * 😀 løn\t".to_owned();
    let long = text.clone() + &"æ".repeat(1000 - text.chars().count());
    for process_args in [text, long] {
        let (argv, expected) = argv_of(&process_args).await;
        assert_eq!(argv, expected);
    }
}

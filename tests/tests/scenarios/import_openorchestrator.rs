//! Moving in from OpenOrchestrator: the file was exported from a database that its own functions made
//! (`tests/openorchestrator/`).

use std::path::Path;

use orchestrator_tests::{Database, World, on};
use serde_json::Value;

fn export() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openorchestrator/export.jsonl").to_string_lossy().into_owned()
}

/// What the import says of each thing, as `kind name: action`.
fn items(plan: &Value) -> Vec<String> {
    let items = plan["items"].as_array().expect("a list of items");
    items
        .iter()
        .map(|item| [&item["kind"], &item["name"], &item["action"]].map(|v| v.as_str().unwrap_or("?")).join(" "))
        .collect()
}

async fn names_of_triggers(world: &World) -> String {
    world.cli(&["trigger", "list", "-o", "name"]).await.ok().stdout
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_changes_nothing() {
    on(Database::Sqlite, async |world| {
        let said = world.cli(&["import", "openorchestrator", &export(), "--dry-run", "-o", "json"]).await;
        assert_eq!(
            items(&said.json()),
            [
                "constant Error Email CREATE",
                "credential SAP CREATE",
                "trigger Once CREATE",
                "trigger Fired SKIP",
                "trigger Mail CREATE",
                "trigger Mail CREATE",
                "trigger Broken REFUSE",
                "trigger Work CREATE",
                "elements Letters CREATE",
                "elements Letters CREATE",
                "elements Letters CREATE",
            ]
        );
        assert!(!said.stdout.contains("s3cret"), "{said}");
        said.refused(8, &["11 things would be imported"]);
        // One thing that cannot be imported stops all of it.
        world.cli(&["import", "openorchestrator", &export(), "--yes"]).await.refused(2, &["nothing was changed"]);
        assert_eq!(names_of_triggers(world).await, "");
        assert_eq!(world.cli(&["queue", "list", "-o", "name"]).await.ok().stdout, "");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn triggers_arrive_paused_and_a_second_import_changes_nothing() {
    on(Database::Sqlite, async |world| {
        let file = export();
        let import = ["import", "openorchestrator", &file, "--skip-refused", "--yes", "--new-elements-only"];
        let said = world.cli(&import).await.ok();
        assert!(said.stderr.contains("orchestrator trigger enable"), "{said}");
        assert!(said.stderr.contains("2 elements that are not new are left out"), "{said}");
        assert_eq!(names_of_triggers(world).await.lines().collect::<Vec<_>>(), ["Mail", "Mail (2)", "Once", "Work"]);
        let mail = world.cli(&["trigger", "show", "Mail", "-o", "json"]).await.ok().json()["trigger"].clone();
        assert_eq!((&mail["hold"], &mail["scheduled"]["timeZone"]), (&"PAUSED".into(), &"Europe/Copenhagen".into()));
        assert_eq!((&mail["policies"]["maxConsecutiveFailures"], &mail["gitBranch"]), (&1.into(), &"v1".into()));
        assert_eq!((&mail["isBlocking"], &mail["workerWhitelist"][0]), (&false.into(), &"RPA-01".into()));
        let once = world.cli(&["trigger", "show", "Once", "-o", "json"]).await.ok().json()["trigger"].clone();
        assert_eq!(once["single"]["nextRun"], "2030-01-02T02:04:05Z", "local time of its zone");
        let reveal = ["credential", "get", "SAP", "--reveal", "-o", "json"];
        assert_eq!(world.cli(&reveal).await.ok().json()["password"], "s3cret æøå");
        let elements = world.cli(&["queue", "element", "list", "Letters", "-o", "json"]).await.ok().json();
        let references: Vec<&str> =
            elements["elements"].as_array().into_iter().flatten().filter_map(|e| e["reference"].as_str()).collect();
        assert_eq!(references, ["letter-2", "letter-3", "letter-4"], "oldest first, as there");

        let claimed = world.cli(&["queue", "element", "claim", "Letters", "-o", "json"]).await.ok().json();
        assert_eq!(claimed["elements"][0]["reference"], "letter-2");
        world.cli(&["trigger", "enable", "Mail"]).await.ok();
        let again = world.cli(&import).await.ok();
        assert!(again.stdout.contains("is here"), "{again}");
        let plan = world.cli(&["import", "openorchestrator", &file, "--dry-run", "--new-elements-only"]).await;
        assert_eq!(plan.code, Some(0), "{plan}");
        let mail = world.cli(&["trigger", "show", "Mail", "-o", "json"]).await.ok().json();
        assert_eq!(mail["trigger"]["hold"], "NONE", "what someone did meanwhile stays");

        // The rest of the elements, with what had become of them.
        let all = [&import[..5], &["--all-elements"]].concat();
        world.cli(&all).await.ok();
        let failed = world.cli(&["queue", "element", "list", "Letters", "--status", "failed", "-o", "json"]).await.ok();
        assert_eq!(failed.json()["elements"][0]["message"], "no such address");
        let queue = world.cli(&["queue", "list", "-o", "json"]).await.ok().json()["queues"][0].clone();
        let counts = ["newCount", "inProgressCount", "failedCount", "abandonedCount"]
            .map(|key| queue[key].as_str().unwrap_or("?"));
        assert_eq!((counts, &queue["paused"]), (["2", "2", "1", "0"], &false.into()));
        let elements = ["queue", "element", "list", "Letters", "--status", "in-progress", "-o", "json"];
        let elements = world.cli(&elements).await.ok().json()["elements"].clone();
        let held = elements.as_array().into_iter().flatten().filter_map(|element| element["leaseExpiresAt"].as_str());
        assert_eq!(held.count(), 0, "no lease takes them back: {elements}");
        let plan = world.cli(&[&import[..3], &["--skip-refused", "--dry-run"]].concat()).await;
        assert_eq!(plan.code, Some(0), "{plan}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_here_with_another_value_stays_unless_told_otherwise() {
    on(Database::Sqlite, async |world| {
        let file = export();
        let import = ["import", "openorchestrator", &file, "--skip-refused", "--yes", "--enable"];
        world.cli(&["constant", "set", "Error Email", "ours@example.org"]).await.ok();
        world.cli(&import).await.ok();
        assert_eq!(world.cli(&["constant", "get", "Error Email"]).await.ok().stdout, "ours@example.org\n");
        world.cli(&[&import[..], &["--overwrite"]].concat()).await.ok();
        assert_eq!(world.cli(&["constant", "get", "Error Email"]).await.ok().stdout, "robots@example.org\n");
        // With --enable only what fired there fires here.
        let shown = async |name: &str| {
            world.cli(&["trigger", "show", name, "-o", "json"]).await.ok().json()["trigger"]["hold"].clone()
        };
        assert_eq!((shown("Mail").await, shown("Mail (2)").await), ("NONE".into(), "PAUSED".into()));
        Ok(())
    })
    .await;
}

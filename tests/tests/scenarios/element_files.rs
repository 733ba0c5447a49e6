//! Elements in files: exported, corrected in a spreadsheet, and put in again.

use orchestrator_tests::{Database, Said, World, on};
use serde_json::Value;

async fn fail(world: &World, reference: &str, data: &str) -> String {
    let add = [
        "queue",
        "element",
        "add",
        "q",
        "--reference",
        reference,
        "--data",
        data,
        "--created-by",
        "desk",
        "-o",
        "json",
    ];
    let id = world.cli(&add).await.ok().json()["element"]["id"].as_str().expect("an id").to_owned();
    world.cli(&["queue", "element", "set-status", &id, "failed", "--message", "no such \"case\"; see log"]).await.ok();
    id
}

async fn exported(world: &World, form: &str) -> String {
    world.cli(&["queue", "element", "export", "q", "--status", "failed", "--format", form]).await.ok().stdout
}

fn new_elements(said: &Said) -> Vec<(String, String, String)> {
    let text = |element: &Value, name: &str| element[name].as_str().unwrap_or_default().to_owned();
    let json = said.json();
    let elements = json["elements"].as_array().expect("a list");
    elements.iter().map(|e| (text(e, "reference"), text(e, "data"), text(e, "createdBy"))).collect()
}

#[tokio::test]
async fn failed_elements_are_exported_corrected_and_put_in_again() {
    on(Database::Sqlite, async |world| {
        fail(world, "Ærø 1", "{\"amount\": \"12,50\"}").await;
        let second = fail(world, "0002", "two;\nlines, \"quoted\"").await;
        fail(world, "=HYPERLINK(\"x\")", "'=1").await;
        let list = ["queue", "element", "list", "q", "--status", "new", "-o", "json"];
        let expected = [
            ("Ærø 1", "{\"amount\": \"99,50\"}", "desk"),
            ("0002", "two;\nlines, \"quoted\"", "desk"),
            ("=HYPERLINK(\"x\")", "'=1", "desk"),
        ]
        .map(|(reference, data, by)| (reference.to_owned(), data.to_owned(), by.to_owned()));
        for form in ["jsonl", "csv", "excel"] {
            let corrected = exported(world, form).await.replace("12,50", "99,50");
            assert_eq!(corrected.contains("'=HYPERLINK"), form == "excel", "{corrected}");
            let name = format!("failed.{}", if form == "excel" { "csv" } else { form });
            world.stage().file(&name, &corrected);
            let said = world.cli(&["queue", "element", "import", "q", &name]).await.ok();
            assert!(said.stderr.contains("Left out: attempt,") && said.stderr.contains("id of its own"), "{said}");
            let found = world.cli(&list).await.ok();
            assert_eq!(new_elements(&found), expected, "{form}");
            assert!(!found.stdout.contains(&second));
            world.cli(&["queue", "element", "bulk", "q", "--status", "new", "delete", "--yes"]).await.ok();
        }
        // As Excel saves what it opened.
        let excel = exported(world, "excel").await;
        // All of its letters have the same number in Windows-1252 as in Unicode.
        let windows: Vec<u8> = excel
            .trim_start_matches('\u{feff}')
            .chars()
            .map(|letter| u8::try_from(letter).expect("a letter of Latin 1"))
            .collect();
        world.stage().file("saved.csv", windows);
        let import = ["queue", "element", "import", "q", "saved.csv"];
        world
            .cli(&import)
            .await
            .refused(2, &["line 2", "0xC6", "Ærø 1", "--encoding windows-1252", "nothing was sent"]);
        world.cli(&[&import[..], &["--encoding", "windows-1252"]].concat()).await.ok();
        assert_eq!(new_elements(&world.cli(&list).await.ok())[0].0, "Ærø 1");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn work_that_is_done_is_not_put_in_again_unasked_and_ids_only_when_asked() {
    on(Database::Sqlite, async |world| {
        let id = fail(world, "1", "a").await;
        world.cli(&["queue", "element", "set-status", &id, "done"]).await.ok();
        let all = world.cli(&["queue", "element", "export", "q", "--format", "csv"]).await.ok().stdout;
        world.stage().file("all.csv", all);
        let import = ["queue", "element", "import", "q", "all.csv"];
        world.cli(&import).await.refused(2, &["[NEEDS_YES]", "1 DONE", "once more"]);
        world
            .cli(&[&import[..], &["--yes", "--keep-ids"]].concat())
            .await
            .refused(5, &["is there already", "nothing was added"]);
        assert_eq!(world.elements("q").await?.len(), 1);
        let moved = ["queue", "element", "import", "elsewhere", "all.csv", "--yes", "--keep-ids"];
        world.cli(&["queue", "element", "delete", &id, "--yes"]).await.ok();
        world.cli(&moved).await.ok();
        assert_eq!(world.elements("elsewhere").await?[0].id, id);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_file_with_a_fault_adds_nothing_and_names_line_field_and_limit() {
    on(Database::Sqlite, async |world| {
        let long = "r".repeat(101);
        let data = "d".repeat(2001);
        let many = format!("reference\n{}", "1\n".repeat(100_001));
        for (name, content, words) in [
            ("empty.csv", String::new(), &["empty.csv is empty"][..]),
            ("empty.jsonl", "\n".to_owned(), &["is empty"]),
            ("list.json", "{\n\"elements\": [\n{}]}\n".to_owned(), &["-o json", "orchestrator queue element export"]),
            (
                "saved.csv",
                "reference;data\r\n5,7E+11;a\r\n".to_owned(),
                &["line 2, column 1 (reference)", "\"5,7E+11\"", "as text", "--allow-scientific"],
            ),
            ("header.csv", "reference;data\r\n".to_owned(), &["no rows"]),
            ("long.csv", format!("reference\n1\n{long}\n"), &["line 3, column 1", "reference", "101", "100"]),
            // The limit of this server, lower than that of others.
            (
                "data.csv",
                format!("reference,data\n1,a\n2,{data}\n"),
                &["line 3", "data", "2001", "2000", "nothing was added"],
            ),
            ("data.jsonl", format!("{{}}\n\n{{\"data\": \"{data}\"}}\n"), &["line 3", "data", "2001", "2000"]),
            ("open.csv", "reference;data\r\n1;\"a\r\n2;b\r\n".to_owned(), &["line 2, column 2", "never closed"]),
            ("many.csv", many, &["100001 rows", "at most 100000", "line 100002"]),
            ("twice.jsonl", "{\"reference\": \"1\", \"Reference\": \"2\"}".to_owned(), &["line 1, column 33", "twice"]),
        ] {
            world.stage().file(name, content);
            world.cli(&["queue", "element", "import", "q", name]).await.refused(2, words);
        }
        world.cli(&["queue", "show", "q"]).await.refused(3, &["q"]);
        world.cli(&["queue", "element", "import", "meant", "saved.csv", "--allow-scientific"]).await.ok();
        assert_eq!(world.elements("meant").await?[0].reference(), "5,7E+11");
        // More than ten thousand are no problem.
        world.stage().file("many.csv", format!("reference\n{}", "1\n".repeat(10_001)));
        world.cli(&["queue", "element", "import", "q", "many.csv"]).await.ok();
        assert_eq!(world.queue("q").await?.new_count, 10_001);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_is_none_is_told_from_one_that_is_empty() {
    on(Database::Sqlite, async |world| {
        let said = world.cli(&["queue", "element", "add", "invoices", "--reference", "1"]).await.ok();
        assert!(said.stderr.contains("Queue \"invoices\" is new."), "{said}");
        let again = world.cli(&["queue", "element", "add", "invoices", "--reference", "2"]).await.ok();
        assert_eq!(again.stderr, "");
        let misspelled = world.cli(&["queue", "element", "add", "invoises", "--reference", "3"]).await.ok();
        assert!(misspelled.stderr.contains("is new. Did you mean \"invoices\"?"), "{misspelled}");
        world.cli(&["queue", "delete", "invoises", "--yes"]).await.ok();
        for words in [
            &["list", "invoises"][..],
            &["export", "invoises", "--format", "csv"],
            &["claim", "invoises"],
            &["bulk", "invoises", "retry"],
        ] {
            let said = world.cli(&[&["queue", "element"][..], words].concat()).await;
            let said = said.refused(3, &["[QUEUE_NOT_FOUND]", "did you mean \"invoices\"?"]);
            assert_eq!(said.stdout, "");
        }
        // An empty answer of a queue that is there is an answer, whatever makes it one.
        world.cli(&["queue", "element", "list", "invoices", "--status", "done"]).await.ok();
        world.cli(&["queue", "element", "export", "invoices", "--status", "done"]).await.ok();
        let set = world.cli(&["queue", "set", "later", "--max-attempts", "2"]).await.ok();
        assert!(set.stderr.contains("Queue \"later\" is new."), "{set}");
        world.cli(&["queue", "element", "claim", "later"]).await.ok();
        let create = ["trigger", "create", "queue", "t", "--process", "p", "--path", "/srv/p.py", "--min-batch", "1"];
        world.cli(&[&create[..], &["--queue", "watched"]].concat()).await.ok();
        world.cli(&["queue", "element", "list", "watched"]).await.ok();
        world.cli(&["queue", "show", "watched"]).await.ok();
        Ok(())
    })
    .await;
}

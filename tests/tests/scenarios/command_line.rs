//! An administrator's day at the command line: signing in, copying, watching, enrolling, looking at all of it.

use orchestrator_tests::{Database, on};

#[tokio::test]
async fn a_token_is_kept_by_login_and_forgotten_by_logout() {
    on(Database::Sqlite, async |world| {
        let url = world.server().url();
        let nobody = [("ORCHESTRATOR_URL", ""), ("ORCHESTRATOR_TOKEN", "")];
        world.cli_with(&["whoami"], "", &nobody).await.refused(4, &["[NO_TOKEN]", "orchestrator login"]);
        let wrong = "orc_user_0000000000000000000000000000000000000000000";
        world.cli_with(&["login", &url], wrong, &nobody).await.refused(4, &["token"]);
        let viewer = world.token_of("USER", "vera", "VIEWER").await;
        let said = world.cli_with(&["login", &url, "--name", "work"], &viewer, &nobody).await.ok();
        assert!(said.stdout.contains("as vera (viewer)") && !said.stdout.contains(&viewer), "{said}");
        let who = world.cli_with(&["whoami", "-o", "json"], "", &nobody).await.ok().json();
        assert_eq!(who["name"], "vera");
        let listed = world.cli_with(&["context", "list", "-o", "json"], "", &nobody).await.ok();
        assert!(!listed.stdout.contains(&viewer), "{listed}");
        assert_eq!(listed.json()["contexts"][0]["current"], true);

        // A second context beside it, by hand; each is used by its name.
        let admin = world.admin_token();
        let add = ["context", "add", "boss", "--url", &url, "--token-stdin"];
        world.cli_with(&add, admin, &nobody).await.ok();
        world.cli_with(&add, admin, &nobody).await.refused(5, &["[CONTEXT_EXISTS]", "--replace"]);
        let as_boss = [("ORCHESTRATOR_URL", ""), ("ORCHESTRATOR_TOKEN", ""), ("ORCHESTRATOR_CONTEXT", "boss")];
        assert_eq!(world.cli_with(&["whoami", "-o", "json"], "", &as_boss).await.ok().json()["role"], "ADMIN");
        world.cli_with(&["context", "use", "bos"], "", &nobody).await.refused(3, &["did you mean \"boss\""]);
        world.cli_with(&["context", "use", "boss"], "", &nobody).await.ok();
        assert_eq!(world.cli_with(&["whoami", "-o", "name"], "", &nobody).await.ok().stdout, "admin\n");
        world.cli_with(&["context", "remove", "work"], "", &nobody).await.refused(2, &["[NEEDS_YES]", &url]);
        world.cli_with(&["context", "remove", "work", "--yes"], "", &nobody).await.ok();
        world.cli_with(&["logout"], "", &nobody).await.ok();
        world.cli_with(&["whoami"], "", &nobody).await.refused(4, &["[NO_TOKEN]"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_asks_for_no_secret() {
    on(Database::Sqlite, async |world| {
        // No token is piped in: it must not get that far.
        let said = world.cli(&["login", "http://127.0.0.1:1", "--token-stdin"]).await;
        said.refused(6, &["[UNREACHABLE]"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_copy_is_paused_and_a_switch_can_be_taken_back() {
    on(Database::Sqlite, async |world| {
        let create = ["trigger", "create", "scheduled", "night", "--process", "p", "--path", "/p.py"];
        let policies = ["--cron", "0 6 * * *", "--stop-on-lost", "--retry-lost", "--timeout", "90s", "--keep-children"];
        world.cli(&[&create[..], &policies].concat()).await.ok();
        let copy = ["trigger", "copy", "night", "day", "--cron", "0 12 * * *", "-o", "json"];
        let copied = world.cli(&copy).await.ok().json();
        assert_eq!((&copied["trigger"]["status"], &copied["trigger"]["hold"]), (&"PAUSED".into(), &"PAUSED".into()));
        assert_eq!(copied["trigger"]["scheduled"]["cronExpr"], "0 12 * * *");
        assert_eq!(copied["trigger"]["policies"]["timeout"], "90s");
        world.cli(&copy).await.refused(5, &["NAME_EXISTS"]);

        let edit = ["trigger", "edit", "day", "--no-stop-on-lost", "--no-timeout", "--no-keep-children", "-o", "json"];
        let policies = world.cli(&edit).await.ok().json()["trigger"]["policies"].clone();
        for switch in ["stopOnLost", "retryLost", "keepChildren"] {
            assert_eq!(policies[switch], false, "{switch}");
        }
        assert!(policies["timeout"].is_null());
        world.cli(&["trigger", "edit", "day", "--timeout", "1s", "--no-timeout"]).await.refused(2, &["--no-timeout"]);
        world.cli(&["trigger", "show", "dya"]).await.refused(3, &["did you mean \"day\""]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_people_have_set_up_is_exported_and_changes_only_when_they_change_it() {
    on(Database::Sqlite, async |world| {
        world.cli(&["constant", "set", "Error Email", "robots@example.org"]).await.ok();
        let create =
            ["trigger", "create", "scheduled", "day", "--cron", "0 12 * * *", "--process", "p", "--path", "/p"];
        world.cli(&create).await.ok();
        let before = world.cli(&["export"]).await.ok().stdout;
        let exported: serde_json::Value = serde_json::from_str(&before)?;
        assert_eq!(exported["triggers"][0]["scheduled"]["cronExpr"], "0 12 * * *");
        assert_eq!(exported["constants"][0]["value"], "robots@example.org");
        world.cli(&["trigger", "run", "day"]).await.ok();
        assert_eq!(world.cli(&["export"]).await.ok().stdout, before, "a run is no change");
        world.cli(&["trigger", "edit", "day", "--priority", "3"]).await.ok();
        let file = world.stage().path("export.json");
        world.cli(&["export", &file.to_string_lossy()]).await.ok();
        let after: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        assert_eq!(after["triggers"][0]["priority"], 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_worker_is_enrolled_and_a_job_is_watched_to_its_end() {
    on(Database::Sqlite, async |world| {
        let said = world.cli(&["worker", "enroll", "w"]).await.ok();
        assert!(
            said.stdout.contains(&format!("orchestrator-worker start --server {}", world.server().url())),
            "{said}"
        );
        assert!(said.stdout.contains("orc_worker_"), "{said}");
        let file = world.stage().path("w.token");
        let said = world.cli(&["worker", "enroll", "w", "--out", &file.to_string_lossy()]).await.ok();
        assert!(said.stdout.contains("--token-file w.token") && !said.stdout.contains("orc_worker_"), "{said}");

        let _worker = world.worker("w").start().await;
        let robot = world.stage().path("robot.py");
        std::fs::write(&robot, "import sys; print('at work'); sys.exit(3)\n")?;
        let create = ["trigger", "create", "single", "fails", "--process", "p", "--path", &robot.to_string_lossy()];
        world.cli(&[&create[..], &["--paused"]].concat()).await.ok();
        let job = world.cli(&["trigger", "run", "fails", "-o", "name"]).await.ok().stdout.trim().to_owned();
        let watched = world.cli(&["job", "watch", &job, "--every", "100ms", "-o", "jsonl"]).await;
        let last = watched.stdout.lines().last().unwrap_or_default();
        assert!(last.contains(r#""status":"FAILED""#), "{watched}");
        watched.refused(7, &["JOB_FAILED"]);

        let status = world.cli(&["status"]).await.ok();
        for word in ["1 up", "0 running, 0 waiting, 0 lost", "w "] {
            assert!(status.stdout.contains(word), "{word}: {status}");
        }
        let lines = world.cli(&["log", "tail", "-n", "5", "-o", "jsonl"]).await.ok();
        assert!(lines.stdout.contains(&job), "{lines}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_person_signs_in_with_a_password_until_logout() {
    on(Database::Sqlite, async |world| {
        const PASSWORD: &str = "correct horse";
        let url = world.server().url();
        let nobody = [("ORCHESTRATOR_URL", ""), ("ORCHESTRATOR_TOKEN", "")];
        let create = ["user", "create", "berta", "--role", "operator"];
        world.cli_with(&create, PASSWORD, &[]).await.ok();

        let login = ["login", &url, "--user", "Berta"];
        world
            .cli_with(&login, "wrong horse", &nobody)
            .await
            .refused(4, &["[SIGN_IN_REFUSED]", "orchestrator user passwd"]);
        world.cli_with(&login, "", &nobody).await.refused(2, &["the password is empty"]);
        let said = world.cli_with(&login, PASSWORD, &nobody).await.ok();
        assert!(said.stdout.contains("as berta (operator)") && said.stdout.contains("It ends in 30 d"), "{said}");
        let who = world.cli_with(&["whoami", "-o", "json"], "", &nobody).await.ok().json();
        assert_eq!((&who["name"], &who["role"]), (&"berta".into(), &"OPERATOR".into()));
        let sessions = world.cli(&["user", "sessions", "berta", "-o", "json"]).await.ok().json();
        assert_eq!(sessions["sessions"][0]["method"], "COMMAND_LINE");

        // One's own password needs the old one; this sign-in stays.
        let own = ["user", "passwd"];
        world.cli_with(&own, "wrong horse\nanother horse", &nobody).await.refused(4, &["[WRONG_PASSWORD]"]);
        world.cli_with(&own, "correct horse\nanother horse\n", &nobody).await.ok();
        world.cli_with(&own, "another horse", &[]).await.refused(2, &["is no person's"]);
        world.cli_with(&["whoami"], "", &nobody).await.ok();

        let out = world.cli_with(&["logout", "-o", "json"], "", &nobody).await.ok().json();
        assert_eq!(out["ended"], true);
        world.cli_with(&["whoami"], "", &nobody).await.refused(4, &["[NO_TOKEN]"]);
        let sessions = world.cli(&["user", "sessions", "berta", "-o", "json"]).await.ok().json();
        assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(0), "the server has ended it");

        // What an administrator has ended meanwhile is over, too.
        world.cli_with(&["login", &url, "--user", "berta"], "another horse", &nobody).await.ok();
        world.cli(&["user", "sign-out", "berta", "--yes"]).await.ok();
        let out = world.cli_with(&["logout", "-o", "json"], "", &nobody).await.ok();
        assert!(out.json()["ended"] == true && out.stderr.is_empty(), "{out}");

        // A token of an administrator's making is only forgotten.
        let viewer = world.token_of("USER", "vera", "VIEWER").await;
        world.cli_with(&["login", &url], &viewer, &nobody).await.ok();
        let out = world.cli_with(&["logout"], "", &nobody).await.ok();
        assert!(out.stderr.contains("The token itself stays good"), "{out}");
        world.cli_with(&["whoami"], "", &[("ORCHESTRATOR_TOKEN", &viewer)]).await.ok();

        // Whoever guesses too often has to wait, and is told. Two guesses were wrong so far.
        for _ in 2..10 {
            world.cli_with(&login, "wrong horse", &nobody).await.refused(4, &["[SIGN_IN_REFUSED]"]);
        }
        world.cli_with(&login, "another horse", &nobody).await.refused(4, &["[SIGN_IN_TOO_OFTEN]", "user link"]);
        world.cli_with(&["user", "disable", "berta", "--yes"], "", &[]).await.ok();
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_would_be_pruned_is_counted_before_it_goes() {
    on(Database::Sqlite, async |world| {
        let url = world.database_url();
        world.server().stop().await;
        world.sql(
            "INSERT INTO logs (id, log_time, log_level, process_name, log_message)
             VALUES (randomblob(16), '2020-01-01T00:00:00.000000Z', 'INFO', 'p', 'old')",
        );
        let prune = ["db", "prune", "--database", url, "--logs", "90days", "-o", "json"];
        let dry = [&prune[..], &["--dry-run"]].concat();
        for _ in 0..2 {
            let plan = world.cli(&dry).await.refused(8, &["DRY_RUN"]);
            assert_eq!(plan.json()["logs"], 1);
        }
        assert_eq!(world.cli(&[&prune[..], &["--yes"]].concat()).await.ok().json()["logs"], 1);
        assert_eq!(world.cli(&dry).await.ok().json()["logs"], 0);
        Ok(())
    })
    .await;
}

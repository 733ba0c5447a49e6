//! What `orchestrator dev` says when everything is ready.

use std::path::PathBuf;
use std::time::Duration;

use orchestrator_core::job::JobStatus;
use serde_json::{Value, json};

use super::{LocalWorker, Remembered, Samples};

/// Everything that the greeting tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The server's address.
    pub(crate) url: String,
    /// The link that signs in to the pages once.
    pub(crate) sign_in: String,
    /// The administrator's token, for `-o json` only.
    pub(crate) token: String,
    /// The folder with everything.
    pub(crate) data: PathBuf,
    /// Whether the folder goes when the program ends.
    pub(crate) ephemeral: bool,
    /// What commands find the server by.
    pub(crate) context: Option<Remembered>,
    /// The worker, unless there is none.
    pub(crate) worker: Option<LocalWorker>,
    /// The samples, unless there are none.
    pub(crate) samples: Option<Samples>,
    /// From the start of the program until now.
    pub(crate) took: Duration,
}

impl Greeting {
    /// One line, for scripts.
    pub(crate) fn to_json(&self) -> Value {
        let context = self.context.as_ref().map(|context| &context.name);
        json!({ "url": self.url, "token": self.token, "data": self.data, "sign_in": self.sign_in, "context": context })
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let kept = if self.ephemeral { "discarded at the end" } else { "kept; --ephemeral to discard" };
        let data = self.data.display();
        let mut lines = vec![
            format!("orchestrator {}   sandbox, not for production. Data: {data} ({kept})", env!("CARGO_PKG_VERSION")),
            String::new(),
            row("Web UI", &format!("{}/", self.url), &format!("sign in, once: {}", self.sign_in)),
            row("gRPC, JSON", &self.url, "e.g. POST /rpc/orchestrator.v1.JobService/List"),
            row("Database", "SQLite", &format!("{data}/orchestrator.db")),
            row("Worker", &self.worker_fact(), &self.worker_detail()),
        ];
        if let Some(samples) = &self.samples {
            lines.push(row("Sample", &format!("{} triggers, queue \"demo\"", samples.triggers), &first_run(samples)));
        }
        lines.push(row("Commands", "signed in as admin", &self.context_detail()));
        lines.push(String::new());
        let program = self.program();
        lines.push(format!("Next:  {program} trigger run hello --follow"));
        lines.push(format!(r#"       {program} queue element add demo --reference 42 --data '{{"name":"Ada"}}'"#));
        let seconds = self.took.as_secs_f32();
        lines.push(format!("Ready in {seconds:.1} s. Ctrl-C stops; robots still running get 30 s."));
        lines.join("\n")
    }

    /// The program, as commands reach this sandbox with it.
    fn program(&self) -> String {
        match &self.context {
            Some(context) if !context.is_current => format!("orchestrator --context {}", context.name),
            _ => "orchestrator".to_owned(),
        }
    }

    fn worker_fact(&self) -> String {
        self.worker
            .as_ref()
            .map_or_else(|| "none (--no-worker)".to_owned(), |worker| format!("this machine, {} slots", worker.slots))
    }

    fn worker_detail(&self) -> String {
        let Some(worker) = &self.worker else { return String::new() };
        let found = |name: &str, version: &Option<String>| match version {
            Some(version) => format!("{name} {version} found"),
            None => format!("{name} NOT found: robots that need it will fail"),
        };
        format!("{}, {}", found("python3", &worker.python), found("git", &worker.git))
    }

    fn context_detail(&self) -> String {
        match &self.context {
            Some(context) => {
                let (name, path) = (&context.name, context.path.display());
                match context.was() {
                    Some(was) => {
                        format!("context {name} of {path} now points here (was {was}, and is again at the end)")
                    }
                    None => format!("by context {name} of {path}, until the end"),
                }
            }
            None => format!("with --url and the token in {}/admin.token", self.data.display()),
        }
    }
}

fn row(label: &str, value: &str, detail: &str) -> String {
    format!("  {label:<12} {value:<30} {detail}").trim_end().to_owned()
}

fn first_run(samples: &Samples) -> String {
    match &samples.first_run {
        Some(run) if run.status == JobStatus::Done => {
            format!("robot \"hello\" ran: done in {:.1} s", run.took.as_secs_f32())
        }
        Some(run) => format!("robot \"hello\" ran: {} ({})", run.status, run.reason),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::samples::FirstRun;

    fn greeting() -> Greeting {
        Greeting {
            url: "http://127.0.0.1:8420".to_owned(),
            sign_in: "http://127.0.0.1:8420/login?t=9f3c".to_owned(),
            token: "orc_user_secret".to_owned(),
            data: PathBuf::from("./orchestrator-dev"),
            ephemeral: false,
            context: Some(Remembered::of_tests("dev", None)),
            worker: Some(LocalWorker { slots: 2, python: Some("3.11.7".to_owned()), git: None }),
            samples: Some(Samples {
                triggers: 3,
                first_run: Some(FirstRun {
                    status: JobStatus::Done,
                    took: Duration::from_millis(420),
                    reason: String::new(),
                }),
            }),
            took: Duration::from_millis(640),
        }
    }

    #[test]
    fn the_greeting_tells_where_everything_is_and_what_to_do_next_but_no_secret() {
        insta::assert_snapshot!(greeting().to_text().replace(env!("CARGO_PKG_VERSION"), "VERSION"));
        assert!(!greeting().to_text().contains("orc_user_secret"));
    }

    #[test]
    fn a_context_that_led_elsewhere_or_is_another_sandboxs_is_told() {
        let was = Greeting { context: Some(Remembered::of_tests("dev", Some("http://127.0.0.1:9"))), ..greeting() };
        assert!(was.to_text().contains("now points here (was http://127.0.0.1:9, and is again at the end)"));
        let second = Greeting { context: Some(Remembered::of_tests("dev-8420", None)), ..greeting() };
        assert!(second.to_text().contains("orchestrator --context dev-8420 trigger run hello"), "{}", second.to_text());
    }

    #[test]
    fn scripts_get_address_token_and_folder() {
        assert_eq!(
            greeting().to_json(),
            json!({ "url": "http://127.0.0.1:8420", "token": "orc_user_secret", "data": "./orchestrator-dev",
                "sign_in": "http://127.0.0.1:8420/login?t=9f3c", "context": "dev" })
        );
    }
}

//! The world of one scenario.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};
use orchestrator_proto::v1 as pb;

use crate::api::Api;
use crate::cli::{self, Said};
use crate::database::{Database, Storage};
use crate::eventually::eventually;
use crate::post_mortem;
use crate::server::Server;
use crate::stage::Stage;
use crate::{SOON, Wire};

/// A server (or two), its database, and everything that a scenario starts beside it.
#[derive(Debug)]
pub struct World {
    stage: Arc<Stage>,
    storage: Storage,
    servers: Vec<Server>,
    token: String,
}

/// Plays a scenario in a fresh world.
///
/// # Panics
///
/// When the scenario fails.
pub async fn on(database: Database, scenario: impl AsyncFnOnce(&World) -> Result<()>) {
    run(World::start(database).await, scenario).await;
}

/// Plays a scenario in a world that was made for it.
///
/// # Panics
///
/// When the scenario fails.
pub async fn run(world: World, scenario: impl AsyncFnOnce(&World) -> Result<()>) {
    // While the panic unwinds, the world is dropped and tells what happened in it.
    if let Err(error) = scenario(&world).await {
        panic!("{error:?}");
    }
}

impl World {
    /// One server on a fresh database.
    pub async fn start(database: Database) -> Self {
        Self::start_servers(database, 1).await
    }

    /// So many servers on one fresh database.
    pub async fn start_servers(database: Database, count: usize) -> Self {
        Self::prepare(database, count).await.started().await
    }

    /// Starts the servers, and reads the token that the first one writes.
    ///
    /// # Panics
    ///
    /// When a server does not start, or writes no token.
    #[must_use]
    pub async fn started(mut self) -> Self {
        for server in &self.servers {
            server.start().await;
            if self.token.is_empty() {
                let file = server.data().join("admin.token");
                let token = std::fs::read_to_string(&file).expect("a server on an empty database writes admin.token");
                token.trim().clone_into(&mut self.token);
            }
        }
        self
    }

    /// Servers that are not started yet.
    pub async fn prepare(database: Database, count: usize) -> Self {
        let stage = Arc::new(Stage::new());
        let storage = Storage::prepare(database, &stage);
        let name = |number| if number == 0 { "server".to_owned() } else { format!("server-{}", number + 1) };
        let servers = (0..count).map(|number| Server::new(&stage, &name(number), &storage.url)).collect();
        let key_file = Server::key_file(&stage);
        let key = ["key", "generate", &key_file.to_string_lossy()];
        cli::run(cli::orchestrator(&stage), &key, b"").await.ok();
        Self { stage, storage, servers, token: String::new() }
    }

    /// The folder, and what is in it.
    pub fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    /// The first server.
    pub fn server(&self) -> &Server {
        &self.servers[0]
    }

    /// All servers.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// One more server on the same database, not started yet.
    pub fn another_server(&self, name: &str) -> Server {
        Server::new(&self.stage, name, &self.storage.url)
    }

    /// The world's own PostgreSQL.
    pub fn postgres(&self) -> &orchestrator_test_postgres::Cluster {
        self.storage.cluster()
    }

    /// Where the database is, as servers are told.
    pub fn database_url(&self) -> &str {
        &self.storage.url
    }

    /// Runs one statement behind the servers' backs.
    pub fn sql(&self, statement: &str) -> String {
        self.storage.execute(statement)
    }

    /// The first administrator's token.
    pub fn admin_token(&self) -> &str {
        &self.token
    }

    /// The first server, as the first administrator.
    pub fn api(&self) -> Api {
        self.api_at(&self.server().url())
    }

    /// Another address, as the first administrator.
    pub fn api_at(&self, url: &str) -> Api {
        Api::new(url, &self.token)
    }

    /// A wire to the first server.
    pub async fn wire(&self) -> Wire {
        Wire::to(&self.server().url()).await
    }

    /// Runs `orchestrator` against the first server, as the first administrator.
    pub async fn cli(&self, arguments: &[&str]) -> Said {
        self.cli_with(arguments, "", &[]).await
    }

    /// The same with text on standard input and more variables.
    pub async fn cli_with(&self, arguments: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Said {
        let mut command = cli::orchestrator(&self.stage);
        command.env("ORCHESTRATOR_URL", self.server().url()).env("ORCHESTRATOR_TOKEN", &self.token);
        command.envs(variables.iter().copied());
        cli::run(command, arguments, stdin.as_bytes()).await
    }

    /// Runs another program of ours than `orchestrator`, with these variables.
    pub async fn run_program(&self, program: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = std::process::Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ORCHESTRATOR_")) {
            command.env_remove(name);
        }
        command.env("HOME", self.stage.folder("home")).current_dir(self.stage.path(""));
        command.envs(variables.iter().copied());
        cli::run(command, arguments, b"").await
    }

    /// Makes a token for a worker.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn worker_token(&self, name: &str) -> String {
        self.token_of("WORKER", name, "").await
    }

    /// Makes a token.
    ///
    /// # Panics
    ///
    /// When the server refuses.
    pub async fn token_of(&self, kind: &str, name: &str, role: &str) -> String {
        let text = |text: &str| text.to_owned();
        let request = pb::CreateTokenRequest { kind: text(kind), name: text(name), role: text(role), lifetime: None };
        self.api().admin().create_token(request).await.expect("an administrator makes tokens").into_inner().secret
    }

    /// A worker as the server shows it.
    pub async fn shown_worker(&self, name: &str) -> Result<pb::Worker> {
        let request = pb::GetWorkerRequest { name: name.to_owned() };
        self.api().admin().get_worker(request).await?.into_inner().worker.context("the answer has the worker")
    }

    /// Waits until the server answers.
    pub async fn is_answering(&self) {
        eventually("the server answers", SOON, async || {
            self.api().admin().get_status(pb::GetStatusRequest {}).await?;
            Ok(())
        })
        .await;
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// What is to come so many milliseconds from now.
    pub fn in_ms(&self, milliseconds: i64) -> Timestamp {
        self.now() + chrono::Duration::milliseconds(milliseconds)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            post_mortem::tell(&self.stage, &self.server().url(), &self.token);
        }
        self.servers.clear();
        self.stage.sweep();
    }
}

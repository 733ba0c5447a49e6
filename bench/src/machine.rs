//! A server and a worker, as real processes with real databases.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use orchestrator_proto::v1;
use tempfile::TempDir;
use tonic::transport::Channel;
use v1::admin_service_client::AdminServiceClient;
use v1::job_service_client::JobServiceClient;
use v1::trigger_service_client::TriggerServiceClient;

use crate::idle_triggers;
use crate::programs::{Running, built, command};

/// Where the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What a machine is to be.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) database: Database,
    /// Slots of the worker; none without one.
    pub(crate) slots: Option<usize>,
    /// Run in the database while no server has it open.
    pub(crate) statements: Option<String>,
    /// Calls that arrive together share transactions.
    pub(crate) lanes: bool,
}

impl Setup {
    /// A server alone, on an empty database.
    pub(crate) fn server(database: Database) -> Self {
        Self { database, slots: None, statements: None, lanes: true }
    }
}

/// Everything under measurement.
#[derive(Debug)]
pub(crate) struct Machine {
    server: Running,
    worker: Option<Running>,
    channel: Channel,
    address: String,
    url: Option<String>,
    token: String,
    folder: TempDir,
    /// From the server's exec to its readiness, on a database that exists.
    pub(crate) ready: Duration,
}

/// Runs statements on a file of SQLite; Python has it built in.
const FILL_SQLITE: &str = "
import binascii, sqlite3, sys
database = sqlite3.connect(sys.argv[2])
database.create_function('unhex', 1, binascii.unhexlify)
database.executescript('BEGIN;' + sys.argv[1] + 'COMMIT;')
database.close()
";

impl Machine {
    /// A server on a database that has so many triggers which are not due, and a worker with so many slots.
    pub(crate) async fn start(database: Database, slots: usize, triggers: usize) -> anyhow::Result<Self> {
        let statements = (triggers > 0).then(|| match database {
            Database::Postgres => {
                let id = "CAST('{first}0000000-0000-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0') AS uuid)";
                idle_triggers::statements(triggers, id) + "ANALYZE;"
            }
            Database::Sqlite => {
                idle_triggers::statements(triggers, "unhex('{first}0000000000070008000' || printf('%012d', i))")
            }
        });
        Self::set_up(Setup { slots: Some(slots), statements, ..Setup::server(database) }).await
    }

    /// A server, and what else there is to be.
    pub(crate) async fn set_up(setup: Setup) -> anyhow::Result<Self> {
        let Setup { database, slots, statements, lanes } = setup;
        let folder = tempfile::tempdir()?;
        let data = data(folder.path());
        std::fs::create_dir(folder.path().join("stamps"))?;
        let made = command(built("orchestrator")?).args(["key", "generate"]).arg(key(folder.path())).output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "orchestrator key generate failed: {said}");
        let url = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(orchestrator_test_postgres::database_url()),
        };
        // The first start makes the database, the second is measured.
        drop(server(folder.path(), url.as_deref(), lanes)?);
        if let Some(statements) = statements {
            fill(&data, url.as_deref(), &statements)?;
        }
        let began = Instant::now();
        let (server, address) = server(folder.path(), url.as_deref(), lanes)?;
        let ready = began.elapsed();
        let token = std::fs::read_to_string(data.join("admin.token"))?.trim().to_owned();
        let channel = Channel::from_shared(address.clone())?.connect().await?;
        let worker = match slots {
            Some(slots) => Some(worker(&channel, &token, &address, folder.path(), slots).await?),
            None => None,
        };
        Ok(Self { server, worker, channel, address, url, token, folder, ready })
    }

    /// The folder that robots write their stamps to.
    pub(crate) fn stamps(&self) -> PathBuf {
        self.folder.path().join("stamps")
    }

    pub(crate) fn request<T>(&self, message: T) -> anyhow::Result<tonic::Request<T>> {
        authorized(&self.token, message)
    }

    pub(crate) fn triggers(&self) -> TriggerServiceClient<Channel> {
        TriggerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel.clone())
    }

    /// Memory that the server has, in MiB.
    pub(crate) fn server_memory(&self) -> anyhow::Result<f64> {
        resident(self.server.id())
    }

    /// Processor time that the server has had.
    pub(crate) fn server_cpu(&self) -> anyhow::Result<Duration> {
        cpu(self.server.id())
    }

    /// Transactions that the database has had; on PostgreSQL only, which counts them.
    pub(crate) fn transactions(&self) -> anyhow::Result<Option<f64>> {
        let Some(url) = &self.url else { return Ok(None) };
        let count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        let answer = command("psql").args(["--no-psqlrc", "-At", "-c", count, url]).output()?;
        ensure!(answer.status.success(), "psql: {}", String::from_utf8_lossy(&answer.stderr));
        Ok(Some(String::from_utf8(answer.stdout)?.trim().parse()?))
    }

    /// The URL of the database, where it has one.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What callers present.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Ends the worker as a power cut would.
    pub(crate) fn kill_worker(&mut self) {
        self.worker = None;
    }
}

/// Runs statements in the database while no server has it open.
fn fill(data: &Path, url: Option<&str>, statements: &str) -> anyhow::Result<()> {
    let filled = if let Some(url) = url {
        command("psql").args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-c", statements, url]).output()?
    } else {
        command("python3").args(["-c", FILL_SQLITE, statements]).arg(data.join("orchestrator.db")).output()?
    };
    ensure!(filled.status.success(), "the database could not be filled: {}", String::from_utf8_lossy(&filled.stderr));
    Ok(())
}

fn authorized<T>(token: &str, message: T) -> anyhow::Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(request)
}

fn server(folder: &Path, url: Option<&str>, lanes: bool) -> anyhow::Result<(Running, String)> {
    let mut program = command(built("orchestrator")?);
    program
        .args(["server", "start", "-o", "json", "--listen", "127.0.0.1:0", "--data"])
        .arg(data(folder))
        .arg("--key-file")
        .arg(key(folder))
        .env("ORCHESTRATOR__SERVER__LANES", if lanes { "true" } else { "false" });
    if let Some(url) = url {
        program.env("ORCHESTRATOR__DATABASE__URL", url);
    }
    let mut server = Running::start(program.stdout(Stdio::piped()), "server", folder)?;
    let mut line = String::new();
    BufReader::new(server.output()?).read_line(&mut line)?;
    let ready = serde_json::from_str::<serde_json::Value>(&line).ok();
    let address = ready.as_ref().and_then(|ready| ready["url"].as_str());
    let address = address.with_context(|| format!("the server did not become ready; {}", server.last_lines()))?;
    Ok((server, address.to_owned()))
}

async fn worker(channel: &Channel, token: &str, address: &str, folder: &Path, slots: usize) -> anyhow::Result<Running> {
    let request = v1::CreateTokenRequest {
        kind: "WORKER".to_owned(),
        name: "bench".to_owned(),
        ..v1::CreateTokenRequest::default()
    };
    let mut admin = AdminServiceClient::new(channel.clone());
    let secret = admin.create_token(authorized(token, request)?).await?.into_inner().secret;
    let mut program = command(built("orchestrator-worker")?);
    program
        .args(["start", "--server", address, "--slots", &slots.max(1).to_string(), "--data"])
        .arg(folder.join("worker"))
        .env("ORCHESTRATOR_WORKER_TOKEN", secret)
        .stdout(Stdio::null());
    let mut worker = Running::start(&mut program, "worker", folder)?;
    for _ in 0..500 {
        let workers = admin.list_workers(authorized(token, v1::ListWorkersRequest {})?).await?.into_inner().workers;
        if workers.iter().any(|worker| worker.state == "UP") {
            return Ok(worker);
        }
        // Dropped, it says what it said.
        ensure!(!worker.has_ended()?, "the worker ended before it had registered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the worker did not register within 10 s; {}", worker.last_lines())
}

/// The server's data.
fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The server's key.
fn key(folder: &Path) -> PathBuf {
    folder.join("key")
}

/// Processor time of a process so far.
fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 =
        fields.get(11).context("utime")?.parse::<u64>()? + fields.get(12).context("stime")?.parse::<u64>()?;
    // Linux counts hundredths of a second here.
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of a process, in MiB.
fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}

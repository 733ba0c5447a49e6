//! `dev`: a sandbox. See [`crate::sandbox`].

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use orchestrator_core::secret::KeyRing;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::config::Config;
use crate::error::{CliError, Result};
use crate::lifecycle::Lifecycle;
use crate::output;
use crate::sandbox::{Greeting, Remembered, add_samples, start_worker};
use crate::secret_file;
use crate::serving::{self, ADMIN_TOKEN_FILE, Serving};
use crate::telemetry;

/// How long robots that still run get when the sandbox stops.
const GRACE: Duration = Duration::from_secs(30);

/// How long killed robots and the words of their end may take after that.
const KILL: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where everything is kept.
    #[arg(long, value_name = "FOLDER", default_value = "./orchestrator-dev", conflicts_with = "ephemeral")]
    data: PathBuf,
    /// Keep nothing when it ends.
    #[arg(long)]
    ephemeral: bool,
    /// The port; 0 takes any that is free.
    #[arg(long, value_name = "N", default_value_t = 8420)]
    port: u16,
    /// Jobs that the sandbox's worker runs at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    slots: u32,
    /// Start without sample triggers and elements.
    #[arg(long)]
    no_sample: bool,
    /// Start without a worker.
    #[arg(long)]
    no_worker: bool,
}

pub(crate) async fn run(dev: Dev, app: &App) -> Result {
    let began = Instant::now();
    telemetry::init(telemetry::Format::default(), "warn");
    // Dropped, and with it deleted, when the program ends.
    let discarded =
        dev.ephemeral.then(tempfile::tempdir).transpose().map_err(CliError::file("create", "a temporary folder"))?;
    let data = discarded.as_ref().map_or(dev.data.as_path(), |folder| folder.path()).to_owned();
    let config = config(&dev, &data)?;

    let server = Lifecycle::new();
    let serving = serving::begin(&config, &server).await?;
    let robots = Lifecycle::new();
    // A server that ends by itself ends the sandbox.
    let (gone, stop) = (server.soft(), robots.soft());
    robots.spawn("server", async move {
        tokio::select! { () = gone.cancelled() => {}, () = stop.cancelled() => {} }
    });
    let agents = TaskTracker::new();
    let ready = set_up(&dev, &data, &serving, &robots, &agents, began).await;
    let ended = match ready {
        Ok(greeting) => {
            let ended = match greet(app, &greeting) {
                Ok(()) => robots.run(GRACE).await.map_err(CliError::Runtime),
                Err(error) => give_up(robots, error).await,
            };
            forget(greeting.context.as_ref(), &data);
            ended
        }
        Err(error) => give_up(robots, error).await,
    };
    // The server goes last: it takes the robots' last words.
    agents.close();
    let _ = tokio::time::timeout(KILL, agents.wait()).await;
    server.shut_down();
    server.run_with(GRACE, std::future::pending).await;
    serving.scheduler.db().close().await;
    let ended = ended?;
    if ended.is_success() { Ok(()) } else { Err(CliError::Ended(ended)) }
}

/// Ends what has begun.
async fn give_up<T>(robots: Lifecycle, error: CliError) -> Result<T> {
    robots.shut_down();
    robots.run_with(GRACE, std::future::pending).await;
    Err(error)
}

/// The sandbox's configuration: defaults, and a key that is made when there is none.
fn config(dev: &Dev, data: &Path) -> Result<Config> {
    let mut config = Config::default();
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, dev.port));
    data.clone_into(&mut config.database.data_folder);
    secret_file::create_folder(data).map_err(CliError::file("create", data))?;
    let key_file = config.key_file();
    if !key_file.exists() {
        let keys = KeyRing::generate().map_err(CliError::Random)?;
        secret_file::create(&key_file, keys.render().expose()).map_err(CliError::file("write", &key_file))?;
    }
    Ok(config)
}

async fn set_up(
    dev: &Dev,
    data: &Path,
    serving: &Serving,
    robots: &Lifecycle,
    agents: &TaskTracker,
    began: Instant,
) -> Result<Greeting> {
    let token_file = data.join(ADMIN_TOKEN_FILE);
    let token = std::fs::read_to_string(&token_file).map_err(CliError::file("read", &token_file))?.trim().to_owned();
    let worker = if dev.no_worker { None } else { Some(start_worker(serving, data, dev.slots, robots, agents).await?) };
    let samples =
        if dev.no_sample { None } else { Some(add_samples(&serving.scheduler, data, worker.is_some()).await?) };
    let sign_in = sign_in_link(serving).await?;
    let context = remember(serving, &token, data).await;
    Ok(Greeting {
        url: serving.url(),
        sign_in,
        token,
        data: data.to_owned(),
        ephemeral: dev.ephemeral,
        context,
        worker,
        samples,
        took: began.elapsed(),
    })
}

/// A link to the pages for whoever started the sandbox.
async fn sign_in_link(serving: &Serving) -> Result<String> {
    let path = serving.accounts.sandbox_link().await.map_err(CliError::from)?;
    Ok(format!("{}{path}", serving.url()))
}

fn greet(app: &App, greeting: &Greeting) -> Result {
    if app.printer.format().is_json() {
        output::stdout_line(&greeting.to_json().to_string())
    } else {
        output::stdout_line(&greeting.to_text())
    }
}

/// Writes the context file, so that commands in other terminals find the sandbox. A user without a home folder goes
/// without.
async fn remember(serving: &Serving, token: &str, data: &Path) -> Option<Remembered> {
    let written = Remembered::write(&serving.url(), token, data).await;
    written.inspect_err(|error| tracing::warn!(error = error.message(), "the context file was not written")).ok()
}

/// Puts the context file back as it was; that it cannot be is no reason to end otherwise.
fn forget(context: Option<&Remembered>, data: &Path) {
    if let Some(Err(error)) = context.map(|context| context.put_back(data)) {
        tracing::warn!(%error, "the context file was not put back");
    }
}

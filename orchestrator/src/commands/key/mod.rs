//! `key`: the file with the keys that stored passwords are encrypted with, and which of them is used.

mod rotate;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use orchestrator_core::secret::{KeyId, KeyRing};

use crate::app::App;
use crate::config::{Config, ConfigFlags};
use crate::error::{CliError, Result};
use crate::{output, secret_file};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Makes a key file, readable by you alone. Never overwrites one.
    Generate {
        /// Where; unless given, where the server's configuration has it.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Tells which keys the server has, and how many passwords are encrypted with each.
    Status,
    /// Adds a new key to the key file, with which passwords are encrypted from the next start of the server on.
    Rotate {
        /// The file; unless given, where the server's configuration has it.
        file: Option<PathBuf>,
        /// Only read with the new key at first. For several servers: none may write what another cannot read yet.
        #[arg(long)]
        stage: bool,
        /// Only tell what would be done. Exit code 8 when that is anything.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Has passwords encrypted with a key that `rotate --stage` added, from the next start of the server on. By then every
    /// server must know the key.
    Promote {
        /// The key's id, as `rotate --stage` and `status` show it.
        #[arg(value_parser = KeyId::parse)]
        key: KeyId,
        /// The file; unless given, where the server's configuration has it.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFlags,
    },
    /// Encrypts all stored passwords with the server's new key, while it goes on serving.
    Reencrypt {
        /// Only count what would be encrypted anew. Exit code 8 when that is anything.
        #[arg(long)]
        dry_run: bool,
    },
    /// Takes old keys out of the key file, when no password needs them any more.
    Prune {
        /// The file; unless given, where the server's configuration has it.
        file: Option<PathBuf>,
        /// Only tell what would be taken out. Exit code 8 when that is anything.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        config: ConfigFlags,
    },
}

pub(crate) async fn run(command: KeyCommand, app: &App) -> Result {
    match command {
        KeyCommand::Generate { file: Some(file), .. } => generate(app, &file),
        KeyCommand::Generate { file: None, config } => generate(app, &Config::load(&config)?.key_file()),
        KeyCommand::Status => rotate::status(app).await,
        KeyCommand::Rotate { file, stage: true, dry_run, config } => {
            rotate::stage(app, &place(file, &config)?, dry_run)
        }
        KeyCommand::Rotate { file, stage: false, dry_run, config } => {
            rotate::rotate(app, &place(file, &config)?, dry_run)
        }
        KeyCommand::Promote { key, file, config } => rotate::promote(app, &place(file, &config)?, &key).await,
        KeyCommand::Reencrypt { dry_run } => rotate::reencrypt(app, dry_run).await,
        KeyCommand::Prune { file, dry_run, config } => rotate::prune(app, &place(file, &config)?, dry_run).await,
    }
}

fn place(file: Option<PathBuf>, config: &ConfigFlags) -> Result<PathBuf> {
    file.map_or_else(|| Ok(Config::load(config)?.key_file()), Ok)
}

fn generate(app: &App, path: &Path) -> Result {
    let keys = KeyRing::generate().map_err(CliError::Random)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        secret_file::create_folder(folder).map_err(CliError::file("make the folder", folder))?;
    }
    secret_file::create(path, keys.render().expose()).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => CliError::FileExists { path: path.to_owned() },
        _ => CliError::File { action: "write the key to", path: path.to_owned(), source },
    })?;
    app.printer.note("Keep a copy in a safe place: without it no stored password can be read.");
    output::stdout_line(&path.display().to_string())
}

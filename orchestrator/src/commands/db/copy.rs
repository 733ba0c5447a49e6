//! `db copy`.

use std::fmt;

use clap::Args;
use orchestrator_db::{Copied, DbOptions, copy_to_postgres};
use serde_json::{Value, json};

use crate::app::App;
use crate::config::{Config, ConfigFlags, without_password};
use crate::error::{CliError, Result};
use crate::output::{Progress, printable};
use crate::serving::database_options;

/// From where to where.
#[derive(Args)]
pub(crate) struct CopyArgs {
    /// The empty PostgreSQL database: postgres://USER@HOST/NAME. Other users of this machine can see a password here: prefer
    /// the variable, or leave the password to PGPASSWORD or ~/.pgpass.
    #[arg(long, value_name = "URL", env = "ORCHESTRATOR_COPY_TO", hide_env_values = true)]
    to: String,
    #[command(flatten)]
    config: ConfigFlags,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for CopyArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyArgs").field("to", &without_password(&self.to)).finish_non_exhaustive()
    }
}

pub(super) async fn copy(app: &App, args: CopyArgs) -> Result {
    let config = Config::load(&args.config)?;
    let from = database_options(&config)?;
    let to = DbOptions { accept_weak_durability: from.accept_weak_durability, ..DbOptions::new(&args.to) };
    let progress = Progress::telling(!app.printer.format().is_json());
    let counts = copy_to_postgres(&from, &to, |copied| progress.tell(&words(copied))).await.map_err(CliError::Copy)?;
    drop(progress);
    let rows: u64 = counts.iter().map(|(_, rows)| rows).sum();
    app.printer.note(
        "The key file goes with it: start the server with the same one, and with database.url naming the copy. \
         Workers, tokens and sign-ins stay valid; keep the SQLite file until you have seen it work, and start no server on it.",
    );
    let to = without_password(&args.to);
    let sentence = format!("{rows} rows of {} tables are copied to {to}.", counts.len());
    let tables: serde_json::Map<String, Value> =
        counts.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
    app.printer.own(&json!({ "to": to, "rows": rows, "tables": tables }), || to.clone(), || printable(&sentence))
}

fn words(copied: Copied) -> String {
    let Copied { table, rows, is_done } = copied;
    if is_done { format!("{table}: all {rows} rows are copied") } else { format!("{table}: {rows} rows are copied") }
}

//! `version` and `upgrade`.

use serde_json::json;

use crate::app::App;
use crate::error::Result;

/// What someone who knows the older orchestrator's `upgrade` looks for.
const UPGRADE: &str = "\
There is no command that upgrades this program: its file is replaced by that of the new version.

  1. Back up the database:       orchestrator db backup FILE        (PostgreSQL: pg_dump)
  2. Stop all servers. Robots go on; workers wait for the server.
  3. Replace `orchestrator` and start one server: it brings the database up to date by itself. To do that apart:
                                 orchestrator db status, orchestrator db migrate
  4. Start the other servers, then replace `orchestrator-worker` on one robot machine after the other:
                                 orchestrator worker drain NAME, stop, replace, start, orchestrator worker resume NAME";

pub(crate) fn version(app: &App) -> Result {
    let version = env!("CARGO_PKG_VERSION");
    let system = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let document = json!({ "version": version, "system": system });
    app.printer.own(&document, || version.to_owned(), || format!("orchestrator {version} ({system})"))
}

pub(crate) fn upgrade(app: &App) -> Result {
    app.printer.own(&json!({ "text": UPGRADE }), String::new, || UPGRADE.to_owned())
}

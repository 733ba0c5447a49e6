//! `ui`: the server's pages in a browser.

use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct UiArgs {
    /// Only print the address.
    #[arg(long)]
    no_open: bool,
}

pub(crate) fn run(args: &UiArgs, app: &App) -> Result {
    let (url, _, _) = app.connection().destination()?;
    let address = format!("{}/", url.trim_end_matches('/'));
    if !args.no_open && !open(&address) {
        app.printer.note("No browser could be started here. Open this address yourself:");
    }
    app.printer.own(&json!({ "url": address }), || address.clone(), || address.clone())
}

/// Asks the desktop to show an address. False when there is no desktop to ask.
pub(crate) fn open(address: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

//! From the command line to the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use orchestrator_worker::agent::{is_watchdog, watch};

use crate::app::App;
use crate::cli::Cli;
use crate::error::{CliError, Result, usage};
use crate::output::{self, Format};
use crate::{commands, telemetry};

/// How long threads that still work when a server has ended are waited for.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_secs(2);

/// Runs the program with the given arguments (the first is its own name) and tells how it ended. Started as the watchdog of a
/// sandbox's worker, it is that.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    if is_watchdog() {
        telemetry::init(telemetry::Format::default(), "warn");
        return watch();
    }
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error, &arguments),
    };
    let format = cli.global.output;
    match start(cli) {
        Ok(()) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, format);
            ExitCode::from(error.exit_code())
        }
    }
}

fn report(error: &CliError, format: Format) {
    if format.is_json() {
        output::stderr_line(&error.to_json().to_string());
    } else {
        output::stderr_line(&error.to_text());
    }
}

fn start(cli: Cli) -> Result {
    // With two TLS providers compiled in by accident, rustls would panic instead of choosing.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    let app = App::new(cli.global);
    if cli.command.is_long_running() {
        // Sets up its own lines, and ends by signals in two stages.
        let result = runtime.block_on(commands::run(cli.command, &app));
        runtime.shutdown_timeout(SHUTDOWN);
        return result;
    }
    telemetry::init(telemetry::Format::default(), "warn");
    runtime.block_on(until_interrupted(commands::run(cli.command, &app)))
}

/// The command goes first: while it asks a person, Ctrl-C is the prompt's.
async fn until_interrupted(command: impl Future<Output = Result>) -> Result {
    tokio::select! {
        biased;
        result = command => result,
        Ok(()) = tokio::signal::ctrl_c() => Err(CliError::Interrupted { note: None }),
    }
}

//! The command `orchestrator-worker drain`.

use std::process::ExitCode;

use clap::Args;
use orchestrator_worker::agent::{DrainError, set_drain};
use serde_json::json;

use crate::form::Output;
use crate::{Base, configuration, options, runtime, worker_token};

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Take jobs again.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    base: Base,
}

pub(crate) fn run(args: &Drain, output: Output) -> anyhow::Result<ExitCode> {
    let configuration = configuration(&args.base)?;
    let options = options(&configuration, worker_token(&configuration)?)?;
    let drain = !args.undo;
    let jobs = runtime()?.block_on(set_drain(&options, drain))?;
    output.print(&json!({ "drain": drain, "activeJobs": jobs }), || sentence(drain, jobs))?;
    Ok(ExitCode::SUCCESS)
}

fn sentence(drain: bool, jobs: u32) -> String {
    if !drain {
        return "This worker takes jobs again.".to_owned();
    }
    let still = match jobs {
        0 => "it has no jobs.".to_owned(),
        1 => "1 job still runs: see orchestrator-worker status.".to_owned(),
        jobs => format!("{jobs} jobs still run: see orchestrator-worker status."),
    };
    format!("This worker takes nothing new; {still} Take jobs again: orchestrator-worker drain --undo")
}

/// As the commands of `orchestrator`.
pub(crate) fn exit_code(error: &DrainError) -> u8 {
    match error {
        DrainError::Connect(_) => 1,
        DrainError::Away { .. } => 6,
        DrainError::Unknown => 3,
        DrainError::Refused { .. } => 4,
    }
}

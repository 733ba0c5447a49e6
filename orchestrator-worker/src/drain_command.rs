//! The command `orchestrator-worker drain`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use orchestrator_worker::agent::{DrainError, set_drain, still, wait_until_drained};
use serde_json::json;

use crate::form::Output;
use crate::{Base, configuration, options, runtime, worker_token};

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Take jobs again.
    #[arg(long)]
    undo: bool,
    /// Wait until it has no job left.
    #[arg(long, conflicts_with = "undo")]
    wait: bool,
    /// Wait no longer than this, such as 30m; the exit code is then 6.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "wait")]
    timeout: Option<Duration>,
    #[command(flatten)]
    base: Base,
}

pub(crate) fn run(args: &Drain, output: Output) -> anyhow::Result<ExitCode> {
    let configuration = configuration(&args.base)?;
    let options = options(&configuration, worker_token(&configuration)?)?;
    let drain = !args.undo;
    let jobs = runtime()?.block_on(async {
        let jobs = set_drain(&options, drain).await?;
        if args.wait && jobs > 0 {
            let mut counting = Counting::default();
            wait_until_drained(&options, jobs, args.timeout, |jobs| counting.tell(jobs)).await?;
            return Ok(0);
        }
        Ok::<u32, DrainError>(jobs)
    })?;
    output.print(&json!({ "drain": drain, "activeJobs": jobs }), || sentence(drain, jobs))?;
    Ok(ExitCode::SUCCESS)
}

fn sentence(drain: bool, jobs: u32) -> String {
    if !drain {
        return "This worker takes jobs again.".to_owned();
    }
    let still = match jobs {
        0 => "it has no jobs.".to_owned(),
        jobs => format!("{}: see orchestrator-worker status.", still(jobs)),
    };
    format!("This worker takes nothing new; {still} Take jobs again: orchestrator-worker drain --undo")
}

/// One line on a terminal that changes with the count. Gone when it is dropped.
#[derive(Debug, Default)]
struct Counting {
    is_shown: bool,
}

impl Counting {
    fn tell(&mut self, jobs: u32) {
        let mut terminal = std::io::stderr().lock();
        if terminal.is_terminal() {
            // Back to the beginning of the line, of which the rest is wiped.
            self.is_shown = write!(terminal, "\r\u{1b}[2K{} …", still(jobs)).is_ok();
            drop(terminal.flush());
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.is_shown {
            let mut terminal = std::io::stderr().lock();
            drop(write!(terminal, "\r\u{1b}[2K"));
            drop(terminal.flush());
        }
    }
}

/// As the commands of `orchestrator`.
pub(crate) fn exit_code(error: &DrainError) -> u8 {
    match error {
        DrainError::Connect(_) => 2,
        DrainError::Away { .. } | DrainError::StillBusy { .. } => 6,
        DrainError::Unknown => 3,
        DrainError::Refused { .. } => 4,
        DrainError::Undone => 5,
    }
}

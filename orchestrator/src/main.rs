//! The program `orchestrator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::run(std::env::args_os())
}

//! The program `orchestrator`.

use std::process::ExitCode;

/// Calls are made of many short-lived pieces of some kilobytes: the system's allocator took a sixth of a busy server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    orchestrator::run(std::env::args_os())
}

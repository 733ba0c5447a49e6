//! The agent: one session with a server, the jobs it holds, and the loops that keep both alive.
//!
//! * A slot is held before a job is asked for; it is free again when the job's end has been acknowledged.
//! * Leases are renewed by one heartbeat that lists exactly the jobs that are held.
//! * A server that is away stops nothing: robots go on, and their true end is told when it is back.
//! * An agent that is killed takes its robots with it: its watchdog sees to that.
//! * What an earlier agent left running is killed before this one registers; a job of which something survives that is held on.

mod assemble;
mod call;
mod claims;
mod commands;
mod contact;
mod drain;
mod execute;
mod fitness;
mod granted;
mod heartbeat;
mod held;
mod identify;
mod installation;
mod job;
mod lease;
mod options;
mod outcome;
mod prepare;
mod report;
mod residue;
mod run;
mod session;
mod ship;
mod stderr_tail;
mod supervise;
mod watchdog;

pub(crate) use call::{may_want_tls, pauses, said, way_to_server};
pub use drain::{DrainError, set_drain, still, wait_until_drained};
pub use identify::{IdentifyError, identify};
pub use options::{AgentOptions, ConnectError};
pub(crate) use options::{Connection, connection};
pub(crate) use report::file as report_file;
pub use report::{Activity, Report};
pub use run::{Agent, AgentError, Stopping};
pub use watchdog::{NAME as WATCHDOG_NAME, is_watchdog, own_watchdog, watch};

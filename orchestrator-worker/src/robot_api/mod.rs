//! What robots call: `POST /rpc/orchestrator.v1.RobotService/<Method>` on loopback, as JSON, with the job's token.
//!
//! The worker is the only one that robots of its machine need to reach. It knows the tokens of the jobs whose robots it
//! runs, turns JSON into messages, and forwards them over its own connection, with its own token beside the job's. While
//! the server is away, what robots write is kept in the job's [spool](crate::spool) and delivered later, in order; what
//! they read or take waits behind it. A job's end is told when all of that is done.

mod body;
mod deliver;
mod element;
mod endpoint;
mod forward;
mod host;
mod jobs;
mod kept;
mod line;
mod message;
mod method;
mod options;
mod repeat;
mod service;
mod verdict;

pub(crate) use endpoint::Endpoint;
pub(crate) use forward::CallsAs;
pub(crate) use line::{Line, Opened};
pub use message::UnusableDescriptors;
pub use options::RobotApiOptions;
pub(crate) use service::RobotApi;

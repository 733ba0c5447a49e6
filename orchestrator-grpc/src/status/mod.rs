//! The one place where refusals and failures become statuses.
//!
//! Every status carries a `google.rpc.ErrorInfo` with a stable code, the domain `orchestrator`, and values that programs
//! may use; refused fields carry a `BadRequest` besides. What happened inside the server never leaves it: it is logged
//! once, with an id that the message names.

mod code;
mod db;
mod elements;
mod lanes;
mod names;
mod refusal;
mod request;
mod seldom;
mod verbs;

pub use code::reason;
pub use db::{db, internal};
pub(crate) use elements::{element, element_claim};
pub(crate) use lanes::{create, lane};
pub(crate) use names::{created, name_exists, name_exists_as};
pub use refusal::Refusal;
pub use request::decode;
pub(crate) use verbs::{claim, finish, heartbeat, job, output, register, start, trigger};

use tonic::{Code, Status};

/// What streams and waiting calls end with when the server stops.
pub fn shutting_down() -> Status {
    Refusal::new(Code::Unavailable, reason::SHUTTING_DOWN, "the server is stopping; connect again").status()
}

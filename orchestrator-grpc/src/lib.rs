//! The server's side of the wire: the gRPC services of `orchestrator.v1`, the same as JSON, authentication and
//! authorization, on one port.
//!
//! Invariants:
//!
//! * no handler runs before the gate has found the caller and [the table](authorize) lets them through;
//! * a refusal carries a stable code ([`status::reason`]), and nothing of the server's inside leaves it;
//! * no open stream and no slow peer keeps the server from stopping in time.

pub mod accounts;
mod admin_service;
mod audit;
pub mod auth;
pub mod authorize;
mod constant_service;
mod credential_service;
pub mod disk;
mod elements;
mod gauges;
mod health;
mod host;
mod in_process;
mod job_service;
mod json;
mod log_service;
pub mod metrics;
mod page;
mod pages;
mod queue_service;
mod robot_service;
mod secret;
mod serve;
mod services;
pub mod status;
mod ticks;
mod transaction;
mod trigger_service;
mod worker_service;

pub use in_process::{Channel, InProcess};
pub use pages::{Inside, Pages};
pub use serve::{ServeError, ServeOptions, Server, Shutdown, TlsError, TlsFiles, serve};
pub use services::Services;
pub use ticks::{NotSeen, Seen, Ticks, Topic};

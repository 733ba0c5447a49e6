//! The wire, tried on real servers on loopback.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod admin;
mod authorization;
mod command_line;
mod contention;
mod development;
mod flow;
mod hostile;
mod http;
mod json;
mod limits;
mod overview;
mod pages;
mod queue_history;
mod queues;
mod robots;
mod same_names;
mod shutdown;
mod sign_in;
mod tls;
mod tokens;
mod waiting;
mod world;

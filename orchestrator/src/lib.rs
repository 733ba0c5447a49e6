//! What the program `orchestrator` is made of: its command line, its configuration, and how it starts and stops.

mod app;
mod arguments;
mod call;
mod certificate;
mod cli;
mod commands;
pub mod config;
mod connection;
pub mod context;
mod error;
pub mod lifecycle;
mod output;
mod program;
mod sandbox;
mod secret_file;
mod serving;
pub mod telemetry;

pub use program::run;

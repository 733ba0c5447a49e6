//! The program as a script sees it: exit codes, standard output, standard error.

mod certificates;
mod configuration;
mod conversation;
mod errors;
mod fake_server;
mod files;
mod program;
mod prune;

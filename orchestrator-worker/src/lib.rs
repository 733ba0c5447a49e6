//! The worker agent: runs robots for a server, and never sees its database.
//!
//! [`agent`] is the whole; it alone talks to the server. Below it, [`process`] starts, watches and ends trees of processes, [`output`] drains what
//! they write, [`checkout`] and [`entry_point`] find what is to be run, [`interpreter`] says how, and [`state_file`]
//! remembers it across a crash of the agent. [`desk`] runs one robot without an agent. [`robot_api`] is what the robots call,
//! [`python_package`] what Python ones import, and [`spool`] keeps what they write while the server is away. [`doctor`],
//! [`enrolment`], [`service`] and [`status`] are for whoever sets a machine up and looks after it. [`signals`] are what ends a
//! program, and [`log_filter`] is how much it tells.

pub mod agent;
pub mod checkout;
pub mod configuration;
pub mod desk;
pub mod doctor;
pub mod enrolment;
pub mod entry_point;
pub mod interpreter;
pub mod log_filter;
pub mod output;
pub mod process;
pub mod python_package;
pub mod robot_api;
pub mod service;
pub mod signals;
pub mod spool;
mod start_up;
pub mod state_file;
pub mod status;

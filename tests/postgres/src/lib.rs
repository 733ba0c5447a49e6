//! A throw-away PostgreSQL for tests: `initdb` into a temporary folder, loopback only, durable as in production.
//!
//! * [`database_url`]: a fresh, empty database of a cluster that all tests of one run share;
//! * [`database_url_from`]: the same, copied from a template that is prepared once a run;
//! * [`execute`]: statements past the program under test, for tests that may not use a driver;
//! * [`Cluster::start`]: a cluster of one's own, for tests that stop and restart it.
//!
//! The shared cluster is started by the first test process that needs it and found by the others through a folder named
//! after the run (nextest runs each test in a process of its own). A watchdog process stops and removes it when the
//! runner is gone, however that ended.
//!
//! A machine without PostgreSQL fails these tests instead of skipping them.

mod cluster;
mod programs;
mod shared;
mod watchdog;

pub use cluster::Cluster;
pub use programs::execute;
pub use shared::{database_url, database_url_from};

//! The world that scenarios play in: the real programs, real databases, real robots, and a wire that can be cut.
//!
//! A scenario is an async function that takes a [`World`] and says in domain words what happens and what must hold.
//! Nothing here sleeps in order to wait for something: [`eventually`] looks until the condition holds, and tells what it
//! saw last when it never does. When a scenario fails, the world prints the logs of all its processes, its jobs and its
//! triggers; when it ends, it kills every process that it caused, robots too.

mod api;
mod cli;
mod database;
mod eventually;
mod fake_worker;
mod gate;
mod jobs;
mod output;
mod post_mortem;
mod process;
mod programs;
mod python;
mod repository;
mod robot;
mod sandbox;
mod server;
mod stage;
mod trigger;
mod wire;
mod worker;
mod world;

pub use orchestrator_proto::v1 as pb;

pub use api::{Api, instant, refusal, to_wire};
pub use cli::Said;
pub use database::Database;
pub use eventually::{eventually, holds_for};
pub use fake_worker::{FakeRobot, FakeWorker};
pub use gate::{Gate, Ledger};
pub use output::Output;
pub use programs::{program, rounds};
pub use python::{OPENORCHESTRATOR, PythonEnvironments, robot_files};
pub use repository::Repository;
pub use sandbox::Sandbox;
pub use server::Server;
pub use stage::Stage;
pub use trigger::NewTrigger;
pub use wire::Wire;
pub use worker::{Worker, WorkerBuilder};
pub use world::{World, on, run};

use std::time::Duration;

/// A number of seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What everything that is not about time must do within. Generous: the machine may be busy with other tests.
pub const SOON: Duration = Duration::from_secs(20);

/// Instantiates each scenario on both databases.
#[macro_export]
macro_rules! on_both_databases {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $scenario() {
                $crate::on($crate::Database::Sqlite, super::$scenario).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $scenario() {
                $crate::on($crate::Database::Postgres, super::$scenario).await;
            })+
        }
    };
}

/// Instantiates each scenario on SQLite: for behaviour that no database has a part in.
#[macro_export]
macro_rules! on_sqlite {
    ($($scenario:ident),+ $(,)?) => {
        mod only_sqlite {
            $(#[tokio::test]
            async fn $scenario() {
                $crate::on($crate::Database::Sqlite, super::$scenario).await;
            })+
        }
    };
}

/// Instantiates each scenario on PostgreSQL: for behaviour that SQLite does not have.
#[macro_export]
macro_rules! on_postgres {
    ($($scenario:ident),+ $(,)?) => {
        mod only_postgres {
            $(#[tokio::test]
            async fn $scenario() {
                $crate::on($crate::Database::Postgres, super::$scenario).await;
            })+
        }
    };
}

//! The commands: one noun a file, one verb a function.

pub(crate) mod completion;
pub(crate) mod constant;
pub(crate) mod credential;
pub(crate) mod db;
pub(crate) mod dev;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod queue;
pub(crate) mod server;
pub(crate) mod token;
pub(crate) mod trigger;
pub(crate) mod worker;

mod glance;

use crate::app::App;
use crate::cli::Command;
use crate::error::Result;

/// Does what was asked for.
pub(crate) async fn run(command: Command, app: &App) -> Result {
    match command {
        Command::Trigger(command) => trigger::run(command, app).await,
        Command::Job(command) => job::run(command, app).await,
        Command::Queue(command) => queue::run(command, app).await,
        Command::Log(command) => log::run(command, app).await,
        Command::Constant(command) => constant::run(command, app).await,
        Command::Credential(command) => credential::run(command, app).await,
        Command::Worker(command) => worker::run(command, app).await,
        Command::Token(command) => token::run(command, app).await,
        Command::Key(command) => key::run(command, app),
        Command::Dev(command) => dev::run(command, app).await,
        Command::Server(command) => server::run(command, app).await,
        Command::Db(command) => db::run(command, app).await,
        Command::Status => glance::status(app).await,
        Command::Whoami => glance::whoami(app).await,
        Command::Completion { shell } => completion::print(shell),
    }
}

//! The commands: one noun a file, one verb a function.

pub(crate) mod audit;
pub(crate) mod browse;
pub(crate) mod cert;
pub(crate) mod completion;
pub(crate) mod constant;
pub(crate) mod context;
pub(crate) mod credential;
pub(crate) mod db;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
pub(crate) mod queue;
pub(crate) mod server;
pub(crate) mod token;
pub(crate) mod trigger;
pub(crate) mod user;
pub(crate) mod worker;

mod glance;
mod stopped;
mod suggest;
mod version;

use crate::app::App;
use crate::cli::Command;
use crate::error::Result;

/// Does what was asked for.
pub(crate) async fn run(command: Command, app: &App) -> Result {
    match dispatch(command, app).await {
        Err(error) => Err(suggest::improve(app, error).await),
        done => done,
    }
}

async fn dispatch(command: Command, app: &App) -> Result {
    match command {
        Command::Trigger(command) => trigger::run(command, app).await,
        Command::Job(command) => job::run(command, app).await,
        Command::Queue(command) => queue::run(command, app).await,
        Command::Log(command) => log::run(command, app).await,
        Command::Constant(command) => constant::run(command, app).await,
        Command::Credential(command) => credential::run(command, app).await,
        Command::Worker(command) => worker::run(command, app).await,
        Command::User(command) => user::run(command, app).await,
        Command::Audit(command) => audit::run(command, app).await,
        Command::Token(command) => token::run(command, app).await,
        Command::Cert(command) => cert::run(command, app),
        Command::Key(command) => key::run(command, app).await,
        Command::Dev(command) => dev::run(command, app).await,
        Command::Server(command) => server::run(command, app).await,
        Command::Db(command) => db::run(command, app).await,
        Command::Status => glance::status(app).await,
        Command::Import(command) => import::run(command, app).await,
        Command::Export(args) => export::run(args, app).await,
        Command::Doctor(args) => doctor::run(*args, app).await,
        Command::Context(command) => context::run(command, app),
        Command::Login(args) => login::login(args, app).await,
        Command::Logout(args) => logout::logout(args, app).await,
        Command::Ui(args) => browse::run(&args, app),
        Command::Man(args) => man::run(&args, app),
        Command::Version => version::version(app),
        Command::Upgrade => version::upgrade(app),
        Command::Whoami => glance::whoami(app).await,
        Command::Completion { shell } => completion::print(shell),
    }
}

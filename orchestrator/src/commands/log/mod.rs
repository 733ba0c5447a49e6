//! `log`: lines that robots write.

mod tail;

use clap::{Args, Subcommand};
use orchestrator_core::log::LogLevel;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::{Bound, Paging, log_level, pages};
use crate::error::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Lists log lines, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Not before this time, as 8h (so long ago), '2026-11-22 12:00' or 2026-11-22T11:00:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<Bound>,
        /// Not after this time.
        #[arg(long, value_name = "TIME")]
        until: Option<Bound>,
        /// Only lines with this text in them.
        #[arg(long, value_name = "TEXT", default_value_t, hide_default_value = true)]
        search: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Prints the latest log lines, oldest first, and with -f what comes after them.
    Tail(TailArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: Filter,
    /// Go on with lines as they are written, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many lines that are there already.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=1000))]
    lines: u32,
    /// Only lines that are not older than this time, as 8h (so long ago), '2026-11-22 12:00' or 2026-11-22T11:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Bound>,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only lines of this process.
    #[arg(long, value_name = "PROCESS", default_value_t, hide_default_value = true)]
    process: String,
    /// Only lines of this level: trace, info or error. May be repeated.
    #[arg(long = "level", value_name = "LEVEL", value_parser = log_level)]
    levels: Vec<LogLevel>,
    /// Only lines of this job.
    #[arg(long, value_name = "JOB", default_value_t, hide_default_value = true)]
    job: String,
}

impl Filter {
    fn levels(&self) -> Vec<String> {
        self.levels.iter().map(ToString::to_string).collect()
    }
}

pub(crate) async fn run(command: LogCommand, app: &App) -> Result {
    match command {
        LogCommand::List { filter, since, until, search, paging } => {
            let request = pb::ListLogsRequest {
                page: None,
                levels: filter.levels(),
                process_name: filter.process,
                job: filter.job,
                since: since.map(|at| at.resolve(app.now)),
                until: until.map(|at| at.resolve(app.now)),
                search,
            };
            list(app, &request, &paging).await
        }
        LogCommand::Tail(args) => tail::tail(app, args).await,
    }
}

async fn list(app: &App, request: &pb::ListLogsRequest, paging: &Paging) -> Result {
    let client = app.connect().await?;
    let (logs, next_cursor) = pages(paging, async |page| {
        let request = pb::ListLogsRequest { page: Some(page), ..request.clone() };
        let reply = client.logs().list(request).await?.into_inner();
        Ok((reply.logs, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListLogsResponse { logs, next_cursor })
}

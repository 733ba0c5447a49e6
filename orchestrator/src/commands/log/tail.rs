//! `log tail`: the latest lines, and with `-f` what comes, through restarts of the server.

use std::collections::HashSet;
use std::time::Duration;

use orchestrator_proto::v1 as pb;
use tonic::Status;

use super::TailArgs;
use crate::app::App;
use crate::commands::stopped::Stopped;
use crate::connection::Client;
use crate::error::{Result, answer_was_lost};

/// How long a server may be away before we give up.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);
/// The lines that are looked at after an interruption.
const CAUGHT_UP: u32 = 1000;

pub(super) async fn tail(app: &App, args: TailArgs) -> Result {
    let client = app.connect().await?;
    let mut shown = Shown::default();
    let mut latest = args.lines;
    let mut failures = 0;
    loop {
        let before = shown.0.len();
        let lost = match once(app, &client, &args, latest, &mut shown).await {
            Ok(()) if !args.follow => return Ok(()),
            // A server that shuts down ends its streams.
            Ok(()) => Status::unavailable("the server ended the stream"),
            Err(Stopped::Stream(status)) if args.follow && answer_was_lost(&status) => status,
            Err(Stopped::Stream(status)) => return Err(status.into()),
            Err(Stopped::Here(error)) => return Err(error),
        };
        failures = if shown.0.len() > before { 1 } else { failures + 1 };
        if failures > PATIENCE {
            return Err(lost.into());
        }
        if failures == 1 {
            app.printer.note("The server went away; waiting for it …");
        }
        // What was written meanwhile is not to be missed.
        latest = CAUGHT_UP;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listening begins before the look back, so that no line falls between the two; what both show is shown once.
async fn once(app: &App, client: &Client, args: &TailArgs, latest: u32, shown: &mut Shown) -> Result<(), Stopped> {
    let filter = &args.filter;
    let request =
        pb::TailLogsRequest { levels: filter.levels(), process_name: filter.process.clone(), job: filter.job.clone() };
    let stream = if args.follow { Some(client.logs().tail(request).await?.into_inner()) } else { None };
    if latest > 0 {
        let request = pb::ListLogsRequest {
            page: Some(pb::Page { limit: latest, cursor: String::new() }),
            levels: filter.levels(),
            process_name: filter.process.clone(),
            job: filter.job.clone(),
            since: args.since.map(|since| since.resolve(app.now)),
            ..pb::ListLogsRequest::default()
        };
        let mut logs = client.logs().list(request).await?.into_inner().logs;
        logs.reverse();
        print(app, shown, logs)?;
    }
    if let Some(mut stream) = stream {
        while let Some(lines) = stream.message().await? {
            print(app, shown, lines.logs)?;
        }
    }
    Ok(())
}

fn print(app: &App, shown: &mut Shown, logs: Vec<pb::Log>) -> Result {
    app.printer.append(&pb::TailLogsResponse { logs: shown.news(logs) })
}

/// The ids of the lines that were printed.
#[derive(Debug, Default)]
struct Shown(HashSet<String>);

impl Shown {
    fn news(&mut self, logs: Vec<pb::Log>) -> Vec<pb::Log> {
        logs.into_iter().filter(|line| self.0.insert(line.id.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_heard_twice_is_shown_once() {
        let line = |id: &str| pb::Log { id: id.to_owned(), ..pb::Log::default() };
        let mut shown = Shown::default();
        assert_eq!(shown.news(vec![line("1"), line("2")]).len(), 2);
        let news: Vec<String> = shown.news(vec![line("2"), line("3")]).into_iter().map(|line| line.id).collect();
        assert_eq!(news, ["3"]);
    }
}

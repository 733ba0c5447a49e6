//! The command `orchestrator-worker status`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use orchestrator_worker::agent::{Activity, Report};
use orchestrator_worker::status::{self, RunsNow, Status};

use crate::form::Output;
use crate::{Base, configuration};

pub(crate) fn run(base: &Base, output: Output) -> anyhow::Result<ExitCode> {
    let configuration = configuration(base)?;
    let status = status::look(&configuration.data)?;
    output.print(&status, || page(&configuration.data.display().to_string(), &status))?;
    Ok(ExitCode::from(match (status.running, &status.agent) {
        (false, _) => 3,
        (true, Some(agent)) if !agent.connected => 6,
        (true, _) => 0,
    }))
}

/// All of it, a fact a line.
fn page(folder: &str, status: &Status) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    match (&status.agent, status.running) {
        (Some(agent), true) => lines.extend(running(agent)),
        (None, true) => lines.push(("agent", "runs, and has not told what it does yet".to_owned())),
        (agent, false) => {
            lines.push(("agent", format!("none runs in {folder}")));
            if let Some(agent) = agent {
                lines.push(("worker", format!("{}, at {}", agent.worker, agent.server)));
            }
        }
    }
    lines.push(("jobs", jobs(status)));
    for job in &status.jobs {
        lines.push(("", format!("{}  {}", job.job_id, processes(job))));
    }
    lines.push(("spool", spool(status)));
    let lines: Vec<String> =
        lines.into_iter().map(|(what, text)| format!("{what:<10}{text}").trim_end().to_owned()).collect();
    lines.join("\n")
}

fn running(agent: &Report) -> Vec<(&'static str, String)> {
    let activity = match agent.activity {
        Activity::Working => "takes jobs",
        Activity::Draining => "takes nothing new",
        Activity::Stopping => "is stopping",
    };
    let answers = if agent.connected { "answers" } else { "does NOT answer" };
    let since = if agent.connected { String::new() } else { format!(" since {}", instant(agent.written_at)) };
    let exclusive = if agent.exclusive { ", only jobs that name it" } else { "" };
    vec![
        ("worker", format!("{} {activity}", agent.worker)),
        ("server", format!("{} {answers}{since}", agent.server)),
        ("agent", format!("version {}, process {}, since {}", agent.version, agent.pid, instant(agent.started_at))),
        ("watchdog", watchdog(agent)),
        ("slots", format!("{}{exclusive}", agent.slots)),
        ("robots", agent.robots_endpoint.clone()),
    ]
}

fn watchdog(agent: &Report) -> String {
    match agent.watchdog {
        Some(pid) => format!("process {pid}"),
        None => "none: its robots run on if the agent is killed, until the next one starts".to_owned(),
    }
}

fn jobs(status: &Status) -> String {
    match (status.jobs.len(), status.running) {
        (0, _) => "none".to_owned(),
        (count, true) => count.to_string(),
        (count, false) => format!("{count} were left behind; the next start of the agent ends them"),
    }
}

fn processes(job: &RunsNow) -> String {
    match (job.pid, job.survivors.as_slice()) {
        (_, survivors @ [_, ..]) => {
            let pids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            let pids = pids.join(",");
            format!("is held: of its processes these live, look with ps -fp {pids}")
        }
        (Some(pid), []) => format!("process {pid}"),
        (None, []) if job.started => "its processes have ended".to_owned(),
        (None, []) => "is being prepared".to_owned(),
    }
}

fn spool(status: &Status) -> String {
    let kept = match status.spool.files {
        0 => "empty".to_owned(),
        files => format!("{} bytes of {files} jobs wait for the server", status.spool.bytes),
    };
    match status.spool.refused_files {
        0 => kept,
        refused => format!("{kept}; the server refused something of {refused} jobs: see spool/refused"),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use orchestrator_worker::status::Spool;

    use super::*;

    fn agent() -> Report {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Report {
            worker: "rpa-07".to_owned(),
            server: "https://robots.example.org:8420".to_owned(),
            version: "1.2.3".to_owned(),
            pid: 4711,
            started_at: at,
            slots: 4,
            exclusive: false,
            robots_endpoint: "http://127.0.0.1:40001".to_owned(),
            activity: Activity::Working,
            connected: true,
            watchdog: Some(4710),
            written_at: at,
        }
    }

    fn job(pid: Option<u32>) -> RunsNow {
        let job_id = "0199c1de-7a10-7000-8000-0000000000aa".to_owned();
        RunsNow { job_id, started: pid.is_some(), pid, survivors: Vec::new() }
    }

    fn status(running: bool, agent: Option<Report>, jobs: Vec<RunsNow>) -> Status {
        Status { running, agent, jobs, spool: Spool::default() }
    }

    #[test]
    fn an_agent_that_works() {
        let held = RunsNow { survivors: vec![4713, 4714], ..job(None) };
        let ended = RunsNow { started: true, ..job(None) };
        let status = status(true, Some(agent()), vec![job(Some(4712)), job(None), held, ended]);
        insta::assert_snapshot!(page("worker", &status));
        insta::assert_snapshot!("an_agent_that_works_json", serde_json::to_string_pretty(&status).unwrap());
    }

    #[test]
    fn an_agent_whose_server_is_away() {
        let mut status = status(
            true,
            Some(Report { connected: false, activity: Activity::Draining, watchdog: None, ..agent() }),
            Vec::new(),
        );
        status.spool = Spool { files: 2, bytes: 8000, refused_files: 1 };
        insta::assert_snapshot!(page("worker", &status));
    }

    #[test]
    fn an_agent_that_was_killed() {
        insta::assert_snapshot!(page("worker", &status(false, Some(agent()), vec![job(Some(4712))])));
    }

    #[test]
    fn a_folder_without_an_agent() {
        insta::assert_snapshot!(page("worker", &status(false, None, Vec::new())));
    }
}

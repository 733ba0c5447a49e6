//! `trigger enable`, `pause`, `kill` and `delete`.

use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use orchestrator_core::trigger::Hold;
use orchestrator_proto::v1 as pb;

use super::at::in_zone_or_servers;
use super::create::quoted;
use crate::app::App;
use crate::arguments::{Moment, When};
use crate::error::Result;
use crate::output::Single as _;

pub(super) async fn enable(app: &App, trigger: String, at: Option<When>, zone: Option<Tz>) -> Result {
    let client = app.connect().await?;
    let at = match at {
        Some(at) => Some(in_zone_or_servers(&client, at, zone).await?),
        None => None,
    };
    let reply = client.triggers().enable(enabling(trigger, at, app.now)).await?.into_inner();
    let trigger = reply.get()?;
    app.printer.done(&reply, &trigger.name, &enabled(trigger))
}

/// A single trigger that was paused after its run is given back as that left it.
fn enabled(trigger: &pb::Trigger) -> String {
    let is_over = trigger.hold != Hold::None.as_str();
    let again = || {
        let name = quoted(&trigger.name);
        format!(
            " It has had its run, which the end of a pause does not repeat; to run it again: orchestrator trigger run {name}"
        )
    };
    format!("{}{}", is_now(trigger), if is_over { again() } else { String::new() })
}

/// "Now" is sent as an instant, too: without one a trigger that is not single could not be refused, and a single one that
/// waits for its time would go on waiting.
fn enabling(trigger: String, at: Option<Moment>, now: Timestamp) -> pb::EnableTriggerRequest {
    pb::EnableTriggerRequest { trigger, next_run: at.map(|at| at.resolve(now)) }
}

pub(super) async fn pause(app: &App, trigger: String) -> Result {
    let reply = app.connect().await?.triggers().disable(pb::DisableTriggerRequest { trigger }).await?.into_inner();
    let trigger = reply.get()?;
    let sentence = format!("{}{}", is_now(trigger), jobs(reply.cancelled_jobs, "cancelled"));
    app.printer.done(&reply, &trigger.name, &sentence)
}

pub(super) async fn kill(app: &App, trigger: String) -> Result {
    app.confirm(&question(app, "Kill the jobs of trigger", &trigger).await?)?;
    let reply = app.connect().await?.triggers().kill(pb::KillTriggerRequest { trigger }).await?.into_inner();
    let trigger = reply.get()?;
    let killed = jobs(reply.killed_jobs, "asked to end");
    let cancelled = jobs(reply.cancelled_jobs, "cancelled");
    app.printer.done(&reply, &trigger.name, &format!("{}{killed}{cancelled}", is_now(trigger)))
}

pub(super) async fn delete(app: &App, trigger: String) -> Result {
    app.confirm(&question(app, "Delete trigger", &trigger).await?)?;
    let request = pb::DeleteTriggerRequest { trigger: trigger.clone() };
    let reply = app.connect().await?.triggers().delete(request).await?.into_inner();
    let cancelled = jobs(reply.cancelled_jobs, "cancelled");
    let running = jobs(reply.running_jobs, "still running");
    app.printer.done(&reply, &trigger, &format!("Trigger \"{trigger}\" is deleted.{cancelled}{running}"))
}

/// Names what it is about, where someone is there to read it.
async fn question(app: &App, verb: &str, trigger: &str) -> Result<String> {
    if !app.asks() {
        return Ok(format!("{verb} \"{trigger}\"?"));
    }
    let request = pb::GetTriggerRequest { trigger: trigger.to_owned() };
    let reply = app.connect().await?.triggers().get(request).await?.into_inner();
    let trigger = reply.get()?;
    Ok(format!("{verb} \"{}\", which is {}?", trigger.name, trigger.status))
}

fn is_now(trigger: &pb::Trigger) -> String {
    format!("Trigger \"{}\" is {}.", trigger.name, trigger.status)
}

fn jobs(count: u32, what: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!(" 1 job {what}."),
        _ => format!(" {count} jobs {what}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_given_is_sent_and_now_is_one() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let sent = |at| enabling("night".to_owned(), at, now).next_run.map(|at| at.seconds);
        assert_eq!(sent(None), None);
        assert_eq!(sent(Some(Moment::Now)), Some(now.timestamp()));
        assert_eq!(sent(Some(Moment::At(now - chrono::TimeDelta::hours(1)))), Some(now.timestamp() - 3600));
    }

    #[test]
    fn a_trigger_that_has_had_its_run_says_how_it_is_run_again() {
        let of = |status: &str, hold: &str| {
            let (name, status, hold) = ("pay all".to_owned(), status.to_owned(), hold.to_owned());
            enabled(&pb::Trigger { name, status, hold, ..pb::Trigger::default() })
        };
        assert_eq!(of("IDLE", "NONE"), "Trigger \"pay all\" is IDLE.");
        let over = of("DONE", "DONE");
        assert!(over.starts_with("Trigger \"pay all\" is DONE. It has had its run"), "{over}");
        assert!(over.ends_with("orchestrator trigger run 'pay all'"), "{over}");
    }

    #[test]
    fn jobs_are_counted_in_words_and_none_is_not_mentioned() {
        assert_eq!(jobs(0, "cancelled"), "");
        assert_eq!(jobs(1, "cancelled"), " 1 job cancelled.");
        assert_eq!(jobs(3, "still running"), " 3 jobs still running.");
    }
}

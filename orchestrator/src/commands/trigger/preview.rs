//! `trigger preview`: when it fires next, and what the expression means.

use chrono_tz::Tz;
use clap::Args;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::arguments::Moment;
use crate::error::Result;
use crate::output::{Look, held_because, instant, printable, time};

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct PreviewArgs {
    /// A trigger: its name, its id, or any unique end or beginning of the id.
    #[arg(required_unless_present = "cron", conflicts_with = "cron")]
    trigger: Option<String>,
    /// A cron expression instead.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    cron: Option<String>,
    /// The zone the expression is meant in; the server's unless given.
    #[arg(long, value_name = "ZONE", requires = "cron", default_value_t, hide_default_value = true)]
    zone: String,
    /// How many instants.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Instants after this time.
    #[arg(long, value_name = "TIME", default_value = "now")]
    after: Moment,
}

pub(super) async fn preview(app: &App, args: PreviewArgs) -> Result {
    let request = pb::PreviewScheduleRequest {
        trigger: args.trigger.unwrap_or_default(),
        cron_expr: args.cron.unwrap_or_default(),
        time_zone: args.zone,
        count: args.count,
        after: args.after.or_server_now(),
    };
    let reply = app.connect().await?.triggers().preview_schedule(request).await?.into_inner();
    let look = app.printer.look();
    app.printer.reply(&reply, || lines(look, &reply), || page(look, &reply))
}

fn page(look: &Look, reply: &pb::PreviewScheduleResponse) -> String {
    let schedule = schedule(look, reply);
    match on_hold(look, reply) {
        Some(hold) => format!("{hold}\n\n{schedule}"),
        None => schedule,
    }
}

/// That it fires at none of the instants, and why.
fn on_hold(look: &Look, reply: &pb::PreviewScheduleResponse) -> Option<String> {
    if matches!(reply.hold.as_str(), "" | "NONE") {
        return None;
    }
    let cause = reply.hold_cause.as_ref().map(|cause| held_because(cause, look)).unwrap_or_default();
    let why = if cause.is_empty() { String::new() } else { format!(": {}", printable(&cause)) };
    let then = if reply.instants.is_empty() {
        "It fires only after: orchestrator trigger enable TRIGGER"
    } else {
        "It fires at none of these instants before it is enabled (orchestrator trigger enable TRIGGER)."
    };
    Some(format!("On hold ({}){why}\n{then}", printable(&reply.hold)))
}

fn schedule(look: &Look, reply: &pb::PreviewScheduleResponse) -> String {
    if reply.time_zone.is_empty() && reply.instants.is_empty() {
        return format!("{}\nNo instant is known ahead.", printable(&reply.description));
    }
    let heading = format!("{} ({})", printable(&reply.description), printable(&reply.time_zone));
    if reply.instants.is_empty() {
        return format!("{heading}\nNever again.");
    }
    format!("{heading}\n{}", lines(look, reply))
}

/// One instant a line, in the schedule's zone: that is where it is meant.
fn lines(look: &Look, reply: &pb::PreviewScheduleResponse) -> String {
    let zone: Option<Tz> = reply.time_zone.parse().ok();
    let line = |wire: &prost_types::Timestamp| {
        let relative = time(look, Some(wire));
        match (instant(Some(wire)), zone) {
            (Some(at), Some(zone)) => {
                format!("{}  {relative}", at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M:%S %:z"))
            }
            (Some(at), None) => format!("{}  {relative}", at.format("%a %Y-%m-%d %H:%M:%S UTC")),
            (None, _) => String::new(),
        }
    };
    reply.instants.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_the_schedules_own_zone() {
        let at = |text: &str| crate::arguments::time_to_wire(text.parse().unwrap());
        let reply = pb::PreviewScheduleResponse {
            instants: vec![at("2026-11-23T05:00:00Z"), at("2027-06-01T04:00:00Z")],
            description: "at 06:00".to_owned(),
            time_zone: "Europe/Copenhagen".to_owned(),
            ..Default::default()
        };
        insta::assert_snapshot!(page(&Look::of_tests(), &reply));
    }

    #[test]
    fn a_trigger_on_hold_is_not_shown_as_if_it_would_fire() {
        let cause = pb::HoldCause { reason: "paused by ann".to_owned(), ..Default::default() };
        let reply = pb::PreviewScheduleResponse {
            instants: vec![crate::arguments::time_to_wire("2026-11-23T05:00:00Z".parse().unwrap())],
            description: "at 06:00".to_owned(),
            time_zone: "UTC".to_owned(),
            hold: "PAUSED".to_owned(),
            hold_cause: Some(cause),
        };
        let shown = page(&Look::of_tests(), &reply);
        assert!(shown.starts_with("On hold (PAUSED): paused by ann\nIt fires at none of these instants"), "{shown}");
        let ready = pb::PreviewScheduleResponse { hold: "NONE".to_owned(), hold_cause: None, ..reply };
        assert!(page(&Look::of_tests(), &ready).starts_with("at 06:00"));
    }

    #[test]
    fn a_schedule_that_is_over_says_so() {
        let reply = pb::PreviewScheduleResponse {
            description: "at 06:00".to_owned(),
            time_zone: "UTC".to_owned(),
            ..Default::default()
        };
        assert!(page(&Look::of_tests(), &reply).ends_with("Never again."));
    }

    #[test]
    fn what_goes_by_a_queue_is_not_said_to_be_over() {
        let description = "when queue Q has 25 or more new elements".to_owned();
        let reply = pb::PreviewScheduleResponse { description: description.clone(), ..Default::default() };
        assert_eq!(page(&Look::of_tests(), &reply), format!("{description}\nNo instant is known ahead."));
    }
}

//! A week of planned runs, by worker, with those marked that will be in each other's way.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::response::Response;
use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::form::Query;
use crate::link::{Link, encoded};
use crate::text::shown_in_line;
use crate::times::{duration, instant};
use crate::viewer::Viewer;

const PATH: &str = "/calendar";

/// Runs of a week that are drawn, and of one trigger among them: twice an hour is too often to be drawn.
const MOST: u32 = 1000;
const EACH: u32 = 7 * 24;

/// How long a robot is taken to run that has not run yet.
const UNKNOWN: TimeDelta = TimeDelta::minutes(1);

const ANY: &str = "Any worker";

#[derive(Debug, Template)]
#[template(path = "calendar.html", blocks = ["week"])]
struct Page {
    chrome: Chrome,
    here: String,
    heading: String,
    before: String,
    after: String,
    today: String,
    days: Vec<Day>,
    lanes: Vec<Lane>,
    often: Vec<Often>,
    clashes: usize,
    is_cut: bool,
}

#[derive(Debug)]
struct Day {
    label: String,
    is_today: bool,
}

/// What one worker will do, day by day.
#[derive(Debug)]
struct Lane {
    worker: String,
    days: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Cell {
    time: String,
    name: String,
    link: String,
    is_blocking: bool,
    /// What is in its way.
    clash: Option<String>,
    title: String,
}

/// A trigger that runs too often to be drawn.
#[derive(Debug)]
struct Often {
    name: String,
    link: String,
}

/// A run on one worker.
#[derive(Debug, Clone)]
struct Run {
    at: Timestamp,
    end: Timestamp,
    trigger_id: String,
    name: String,
    is_blocking: bool,
}

/// `GET /calendar?week=`, with any day of the week
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let today = viewer.now.with_timezone(&viewer.zone).date_naive();
    let asked = query.text("week").parse().unwrap_or(today);
    let monday = asked - Days::new(u64::from(asked.weekday().num_days_from_monday()));
    let week = Week { monday, zone: viewer.zone };

    let from = week.midnight(0).max(viewer.now);
    let to = week.midnight(7);
    let request = v1::ListPlannedRunsRequest {
        from: Some(timestamp(from)),
        to: Some(timestamp(to)),
        limit: MOST,
        each_most: EACH,
        worker_name: String::new(),
    };
    let answer = if from < to {
        viewer.triggers()?.list_planned_runs(request).await?.into_inner()
    } else {
        v1::ListPlannedRunsResponse::default()
    };
    let workers = viewer.admin()?.list_workers(v1::ListWorkersRequest {}).await?.into_inner().workers;
    let (lanes, often) = lanes(answer.runs, &workers);
    let mut clashes = 0;
    let lanes = lanes.iter().map(|(worker, runs)| lane(&week, worker, runs, &mut clashes)).collect();
    let link = |date: NaiveDate| Link::to(PATH).with("week", &date.to_string()).into_string();
    let page = Page {
        chrome: viewer.chrome(PATH, "Calendar"),
        here: link(monday),
        heading: format!("Week {}, {}", monday.iso_week().week(), monday.format("%-d %B %Y")),
        before: link(monday - Days::new(7)),
        after: link(monday + Days::new(7)),
        today: link(today),
        days: (0..7)
            .map(|day| monday + Days::new(day))
            .map(|date| Day { label: date.format("%a %-d %b").to_string(), is_today: date == today })
            .collect(),
        lanes,
        often,
        clashes,
        is_cut: answer.more,
    };
    viewer.live(&page, &page.as_week(), &page.here)
}

#[derive(Debug)]
struct Week {
    monday: NaiveDate,
    zone: Tz,
}

impl Week {
    /// When a day of the week begins; where the clocks skip midnight, an hour later.
    fn midnight(&self, day: u64) -> Timestamp {
        let naive = (self.monday + Days::new(day)).and_time(NaiveTime::MIN);
        let at = self.zone.from_local_datetime(&naive).earliest();
        let at = at.or_else(|| self.zone.from_local_datetime(&(naive + TimeDelta::hours(1))).earliest());
        at.map_or_else(|| naive.and_utc(), |at| at.to_utc())
    }

    /// The day that an instant is in, and its time of day.
    fn place(&self, at: Timestamp) -> (usize, String) {
        let local = at.with_timezone(&self.zone);
        let day = (local.date_naive() - self.monday).num_days();
        (usize::try_from(day).unwrap_or_default(), local.format("%H:%M").to_string())
    }
}

/// Runs by worker, and the triggers that run too often.
fn lanes(runs: Vec<v1::PlannedRun>, workers: &[v1::Worker]) -> (BTreeMap<String, Vec<Run>>, Vec<Often>) {
    let cut: BTreeSet<String> = runs.iter().filter(|run| run.is_cut).map(|run| run.trigger_id.clone()).collect();
    let open: Vec<&v1::Worker> = workers.iter().filter(|worker| !worker.exclusive).collect();
    let mut lanes: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    let mut often: BTreeMap<String, Often> = BTreeMap::new();
    for planned in runs {
        let name = shown_in_line(&planned.trigger_name);
        if cut.contains(&planned.trigger_id) {
            let link = format!("/triggers/{}", encoded(&planned.trigger_id));
            often.entry(planned.trigger_id).or_insert(Often { name, link });
            continue;
        }
        let Some(at) = instant(planned.at) else { continue };
        let took = planned.typical_duration.and_then(|took| TimeDelta::new(took.seconds, 0)).unwrap_or(UNKNOWN);
        let run = Run {
            at,
            end: at + took.max(TimeDelta::seconds(1)),
            trigger_id: planned.trigger_id,
            name,
            is_blocking: planned.is_blocking,
        };
        let names = match (&planned.worker_whitelist[..], &open[..]) {
            // With one worker "any" is that one.
            ([], [only]) => vec![only.name.clone()],
            ([], _) => vec![ANY.to_owned()],
            (names, _) => names.to_vec(),
        };
        for name in names {
            lanes.entry(name).or_default().push(run.clone());
        }
    }
    (lanes, often.into_values().collect())
}

fn lane(week: &Week, worker: &str, runs: &[Run], clashes: &mut usize) -> Lane {
    let mut days: Vec<Vec<Cell>> = (0..7).map(|_| Vec::new()).collect();
    for (place, run) in runs.iter().enumerate() {
        // Who takes what may run anywhere is decided when it is due.
        let clash = if worker == ANY { None } else { clash(runs, place) };
        *clashes += usize::from(clash.is_some());
        let (day, time) = week.place(run.at);
        let took = duration(run.end - run.at);
        let title = format!("{} at {time}, about {took}{}", run.name, if run.is_blocking { ", blocking" } else { "" });
        let link = format!("/triggers/{}", encoded(&run.trigger_id));
        let cell = Cell { time, name: run.name.clone(), link, is_blocking: run.is_blocking, clash, title };
        if let Some(cells) = days.get_mut(day) {
            cells.push(cell);
        }
    }
    Lane { worker: shown_in_line(worker), days }
}

/// The name of a run that still runs when this one is due, where one of the two runs alone. Runs are in order of time.
fn clash(runs: &[Run], place: usize) -> Option<String> {
    let run = runs.get(place)?;
    let earlier = runs.iter().take(place).rev();
    let in_the_way = earlier
        .filter(|other| other.trigger_id != run.trigger_id && other.end > run.at)
        .find(|other| other.is_blocking || run.is_blocking)?;
    Some(in_the_way.name.clone())
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, at: &str, minutes: i64, is_blocking: bool) -> Run {
        let at: Timestamp = at.parse().unwrap();
        let end = at + TimeDelta::minutes(minutes);
        Run { at, end, trigger_id: name.to_owned(), name: name.to_owned(), is_blocking }
    }

    #[test]
    fn a_run_clashes_with_what_runs_alone_and_is_not_over() {
        let runs = [
            run("long", "2026-11-25T06:00:00Z", 30, true),
            run("beside", "2026-11-25T06:10:00Z", 5, false),
            run("later", "2026-11-25T06:30:00Z", 5, true),
            run("light", "2026-11-25T06:31:00Z", 5, false),
            run("other", "2026-11-25T07:00:00Z", 5, false),
            run("more", "2026-11-25T07:01:00Z", 5, false),
        ];
        let clashes: Vec<_> = (0..runs.len()).map(|place| clash(&runs, place)).collect();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(clashes, [None, some("long"), None, some("later"), None, None]);
    }

    #[test]
    fn a_week_begins_on_monday_in_the_viewers_zone_also_when_the_clock_jumps() {
        let week = Week { monday: "2026-10-19".parse().unwrap(), zone: chrono_tz::Europe::Copenhagen };
        assert_eq!(week.midnight(0).to_rfc3339(), "2026-10-18T22:00:00+00:00");
        assert_eq!(week.midnight(7).to_rfc3339(), "2026-10-25T23:00:00+00:00");
        assert_eq!(week.place("2026-10-25T22:30:00Z".parse().unwrap()), (6, "23:30".to_owned()));
    }

    #[test]
    fn what_may_run_anywhere_is_in_the_lane_of_the_only_worker() {
        let planned = v1::PlannedRun {
            at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            trigger_name: "a".to_owned(),
            ..v1::PlannedRun::default()
        };
        let worker = |name: &str| v1::Worker { name: name.to_owned(), ..v1::Worker::default() };
        let names = |workers: &[v1::Worker]| lanes(vec![planned.clone()], workers).0.into_keys().collect::<Vec<_>>();
        assert_eq!(names(&[worker("pc1")]), ["pc1"]);
        assert_eq!(names(&[worker("pc1"), worker("pc2")]), [ANY]);
    }
}

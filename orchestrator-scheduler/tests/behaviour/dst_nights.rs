//! Section 4.2 and 4.3: the two nights of a year in which the wall clock jumps, lived through with the test clock.

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Europe::Copenhagen;
use orchestrator_core::cron::CronExpr;
use orchestrator_core::policy::{Overlap, Policies};
use orchestrator_core::trigger::TriggerKind;

use crate::world::{World, at, draft, with};

behaviours! {
    a_fixed_time_in_the_gap_runs_once_when_the_clock_has_jumped,
    a_wildcard_goes_on_in_real_time_over_the_gap,
    a_fixed_time_that_comes_twice_runs_once_in_the_first_pass,
    a_wildcard_runs_in_both_passes,
    a_trigger_made_in_the_second_pass_starts_no_storm,
}

/// Lives from `from` to `until` in steps of five minutes, with one trigger, and tells the instants that became jobs.
async fn live(world: &World, cron: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let second = |instant: DateTime<Utc>| (instant - at(0)).num_seconds();
    world.turn_to(second(from));
    let cron = CronExpr::parse(cron).unwrap();
    let kind = TriggerKind::Scheduled { cron, zone: Copenhagen, next_run: None };
    // Nobody takes the jobs: every instant is to be seen.
    let policies = Policies { overlap: Overlap::Allow { most: 1000 }, ..Policies::default() };
    let id = world.create(with(draft("night", kind), policies)).await;
    let mut now = from;
    while now < until {
        now += TimeDelta::minutes(5);
        world.tick_at(second(now)).await;
    }
    let mut instants: Vec<_> = world.jobs(id).await.into_iter().map(|job| job.scheduled_at).collect();
    instants.sort();
    instants
}

fn utc(month: u32, day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2027, month, day, hour, minute, 0).unwrap()
}

/// 28 March 2027: at 01:00 UTC the clock goes from 02:00 to 03:00.
async fn a_fixed_time_in_the_gap_runs_once_when_the_clock_has_jumped(world: World) {
    let instants = live(&world, "30 2 * * *", utc(3, 27, 23, 0), utc(3, 28, 4, 0)).await;
    assert_eq!(instants, [utc(3, 28, 1, 0)], "03:00, the first minute that exists");
}

async fn a_wildcard_goes_on_in_real_time_over_the_gap(world: World) {
    let instants = live(&world, "*/15 * * * *", utc(3, 28, 0, 30), utc(3, 28, 1, 30)).await;
    assert_eq!(instants, [utc(3, 28, 0, 45), utc(3, 28, 1, 0), utc(3, 28, 1, 15), utc(3, 28, 1, 30)]);
}

/// 31 October 2027: at 01:00 UTC the clock goes from 03:00 back to 02:00.
async fn a_fixed_time_that_comes_twice_runs_once_in_the_first_pass(world: World) {
    let instants = live(&world, "30 2 * * *", utc(10, 30, 22, 0), utc(10, 31, 4, 0)).await;
    assert_eq!(instants, [utc(10, 31, 0, 30)]);
}

async fn a_wildcard_runs_in_both_passes(world: World) {
    // From 02:00, first pass, to 02:45, second pass.
    let instants = live(&world, "*/15 * * * *", utc(10, 30, 23, 45), utc(10, 31, 1, 45)).await;
    assert_eq!(instants.len(), 8);
    assert!(instants.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::minutes(15)));
}

async fn a_trigger_made_in_the_second_pass_starts_no_storm(world: World) {
    // From 02:05, second pass; the half hour of that hour has been in the first pass.
    let instants = live(&world, "30 2 * * *", utc(10, 31, 1, 5), utc(10, 31, 6, 0)).await;
    assert!(instants.is_empty(), "{instants:?}");
}

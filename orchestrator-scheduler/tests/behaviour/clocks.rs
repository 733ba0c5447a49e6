//! Section 4.9: one clock for all servers.

use std::sync::Arc;

use chrono::TimeDelta;
use orchestrator_core::clock::{Clock as _, ManualClock, SystemClock};
use orchestrator_db::Dialect;
use orchestrator_scheduler::{DisciplinedClock, SchedulerClock};

use crate::world::{World, at, scheduler};

behaviours! {
    a_server_goes_by_the_clock_of_the_database,
    a_clock_that_steps_is_set_right_before_anything_is_decided,
}

async fn a_clock_that_steps_is_set_right_before_anything_is_decided(world: World) {
    let own = ManualClock::at(SystemClock.now());
    let clock = Arc::new(DisciplinedClock::new(Arc::new(own.clone())));
    clock.discipline(&world.db).await.unwrap();
    let server = scheduler(&world.db, SchedulerClock::Disciplined(clock.clone()));
    assert!(server.knows_the_time().await.unwrap());
    let before = server.now();
    own.advance(TimeDelta::hours(1));
    let knows = server.knows_the_time().await.unwrap();
    if world.db.dialect() == Dialect::Sqlite {
        assert!(knows && server.now() - before >= TimeDelta::hours(1), "there is no clock to compare it with");
        return;
    }
    assert!(!knows, "so far off, nothing is decided here");
    assert!((server.now() - before).abs() < TimeDelta::seconds(5), "{} is not {before}", server.now());
    assert!((server.on_duty_since() - before).abs() < TimeDelta::seconds(5), "{}", server.on_duty_since());
    // One that is slow, and is set right by the machine.
    own.advance(TimeDelta::seconds(20) - TimeDelta::hours(1));
    assert!(server.knows_the_time().await.unwrap());
    assert!((server.now() - before).abs() < TimeDelta::seconds(5));
}

async fn a_server_goes_by_the_clock_of_the_database(world: World) {
    let own = ManualClock::at(at(0));
    let clock = DisciplinedClock::new(Arc::new(own.clone()));
    clock.discipline(&world.db).await.unwrap();
    let Some(theirs) = world.db.clock().await.unwrap() else {
        assert_eq!(world.db.dialect(), Dialect::Sqlite);
        assert_eq!((clock.now(), clock.offset()), (at(0), TimeDelta::zero()), "it has no clock of its own");
        return;
    };
    assert!((theirs - clock.now()).abs() < TimeDelta::seconds(5));
    assert!((at(0) - theirs - clock.offset()).abs() < TimeDelta::seconds(5));
    // What is noise of the measurement is not followed: instants would go back and forth.
    let before = clock.offset();
    own.advance(theirs - clock.now());
    clock.discipline(&world.db).await.unwrap();
    assert!((clock.offset() - before).abs() < TimeDelta::seconds(5));
}

//! Section 4.9: one clock for all servers.

use std::sync::Arc;

use chrono::TimeDelta;
use orchestrator_core::clock::{Clock as _, ManualClock};
use orchestrator_db::Dialect;
use orchestrator_scheduler::DisciplinedClock;

use crate::world::{World, at};

behaviours! { a_server_goes_by_the_clock_of_the_database }

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

//! What the scheduler promises, on both databases alike, with a clock that only the test turns. One file per part of
//! `docs/semantics.md`; after every step the world checks what must always be true.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod world;

/// Instantiates each behaviour, an `async fn case(world: World)` of the module that calls this, for both databases. One
/// that is not listed is an unused function, which the compiler tells.
macro_rules! behaviours {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::world::World::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::world::World::postgres().await).await;
            })+
        }
    };
}

mod bad_rows;
mod blocking;
mod claiming;
mod clocks;
mod dst_nights;
mod edits;
mod elements;
mod failures;
mod fencing;
mod hand_back;
mod holds;
mod instants;
mod leases;
mod many_workers;
mod orders;
mod queue_triggers;
mod random;
mod registration;
mod repeats;
mod retention;
mod retries;
mod samples;
mod servers;
mod shown_status;
mod time_outs;

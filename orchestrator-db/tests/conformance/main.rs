//! What the storage promises, on both databases alike. Each module lists its behaviours once; every one is then owed by
//! SQLite and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "in helpers, too, a test that cannot go on panics")]

mod harness;

/// Instantiates each behaviour, an `async fn case(db: TestDb)` of the module that calls this, for both databases. One that
/// is not listed is an unused function, which the compiler tells.
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::harness::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::harness::postgres().await).await;
            })+
        }
    };
}

mod audit;
mod claim;
mod connect;
mod constant;
mod copy;
mod credential;
mod dropped_calls;
mod job;
mod job_life;
mod job_rescue;
mod lanes;
mod log;
mod output;
mod overview;
mod queue;
mod room;
mod token;
mod trigger;
mod trigger_due;
mod trigger_status;
mod user;
mod worker;
mod world;

//! What the storage promises, on both databases alike. Each module lists its behaviours once; every one is then owed by
//! SQLite and PostgreSQL.

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
mod connect;
mod constant;
mod credential;
mod log;
mod output;
mod queue;
mod token;

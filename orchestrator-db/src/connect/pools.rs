//! Pools of connections, and what their connections are told once.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sqlx::pool::{MaybePoolConnection, PoolConnection};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, PgPool, SqlSafeStr as _};

/// How long a connection must have been idle before it is asked whether it is still there. What breaks sooner is told by
/// the first statement, as an outage.
const TRUSTED: Duration = Duration::from_secs(1);

/// For connections of PostgreSQL whose statements are made all day. A plan made for the values of one call may be one that
/// sorts all there is, and one made while a table was small reads all of it as long as it is kept: until the table is analyzed,
/// which may be a minute and ten thousand rows later. And a plan is taken for dear that is not: where a table was never analyzed,
/// or its index is all that is allowed, PostgreSQL would compile for a second what takes a tenth of a millisecond, each time.
pub(crate) const STEADY_PLANS: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];

/// Has the database ask every now and then whether an idle connection is still there. What stands between two machines
/// forgets connections on which nothing happens, and a listener waits for ever on one that is forgotten.
pub(super) const KEEP_ALIVE: [(&str, &str); 2] = [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10")];

/// Ends no statement and no transaction of this program by a time that was set for people: it has limits of its own, and what is
/// cut off in the middle is an outage to it, which ends no sooner when it is tried again.
pub(super) const NO_TIME_OUTS: [(&str, &str); 3] =
    [("statement_timeout", "0"), ("lock_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];

/// What only connections of pools are told, since not every version has it.
const IN_POOLS: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

/// A pool whose connections come back without a transaction. SQLite undoes a transaction by itself when the disk is full;
/// the driver then believes for ever that one is open, and such a connection is closed.
pub(super) fn sqlite_pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            // What a dropped transaction left to be undone is done when this is answered.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

/// A pool whose connections plan each statement once. The statements are few, and none is better off with a plan for its
/// own values; without this the server would plan each one five times on each connection, and some for ever.
pub(super) fn postgres_pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                let (names, values): (Vec<&str>, Vec<&str>) =
                    IN_POOLS.into_iter().chain(KEEP_ALIVE).chain(NO_TIME_OUTS).unzip();
                // Not every version has each setting, and none needs it.
                let set = sqlx::query(
                    "SELECT set_config(wanted.name, wanted.value, FALSE) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)
                     WHERE EXISTS (SELECT 1 FROM pg_settings WHERE pg_settings.name = wanted.name)",
                );
                if let Err(error) = set.bind(names).bind(values).execute(&mut *connection).await {
                    tracing::debug!(%error, "the database keeps its own settings");
                }
                Ok(())
            })
        })
}

/// A transaction that is beginning. The driver forgets a `BEGIN` whose answer nobody waits for: its connection would go back to
/// the pool inside of a transaction, and what others write on it would be theirs to undo. So what is dropped here is begun to the
/// end, and undone.
struct Beginning(Option<Pin<Box<dyn Future<Output = Begun> + Send>>>);

type Begun = Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error>;

impl Beginning {
    fn new(connection: PoolConnection<sqlx::Postgres>, statement: &'static str) -> Self {
        let connection = MaybePoolConnection::PoolConnection(connection);
        Self(Some(sqlx::Transaction::begin(connection, Some(statement.into_sql_str()))))
    }
}

impl Future for Beginning {
    type Output = Begun;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Begun> {
        let Some(beginning) = &mut self.0 else { return Poll::Ready(Err(sqlx::Error::WorkerCrashed)) };
        let polled = beginning.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        let Some(beginning) = self.0.take() else { return };
        // Without a runtime the program is ending, and the database undoes what is open.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(beginning.await) });
        }
    }
}

/// Begins on a connection of the pool. Connections that were used a moment ago are not tried out before, so after a restart of
/// the database some are dead: nothing has happened on them, and the next one is taken. In a box: a call keeps room for the
/// largest of its steps, and what a pool does to connect would be 14 KiB of every call, of most of which it is no step at all.
pub(super) async fn begin(pool: &PgPool, statement: &'static str) -> Begun {
    let mut dead = 0;
    loop {
        // Who goes away while waiting for a connection leaves the queue.
        let connection = Box::pin(pool.acquire()).await?;
        match Beginning::new(connection, statement).await {
            Err(error) if is_dead(&error) && dead < pool.options().get_max_connections() => dead += 1,
            outcome => return outcome,
        }
    }
}

/// Whether the connection was closed from the other side.
pub(crate) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P05" | "25P03" | "25P04"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;
    use sqlx::{AssertSqlSafe, PgConnection, Row as _};

    use super::*;

    const ASKED: [(&str, &str); 5] = [
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ];

    async fn assert_as_wanted(connection: &mut PgConnection) {
        for (name, wanted) in ASKED {
            let row = sqlx::query("SELECT current_setting($1)").bind(name).fetch_one(&mut *connection).await.unwrap();
            assert_eq!(row.get::<String, _>(0), wanted, "{name}");
        }
    }

    #[tokio::test]
    async fn what_was_set_for_people_ends_no_statement_of_the_program() {
        let url = orchestrator_test_postgres::database_url();
        let mut person = PgConnection::connect(&url).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut person).await.unwrap();
        for setting in ["statement_timeout = '1s'", "lock_timeout = '1s'", "idle_in_transaction_session_timeout = '1s'"]
        {
            let text = AssertSqlSafe(format!("ALTER DATABASE \"{name}\" SET {setting}"));
            sqlx::query(text).execute(&mut person).await.unwrap();
        }
        let pool = postgres_pool().connect(&url).await.unwrap();
        assert_as_wanted(&mut pool.acquire().await.unwrap()).await;
        // As the connections of lanes are made.
        let options = url.parse::<PgConnectOptions>().unwrap().options(STEADY_PLANS).options(NO_TIME_OUTS);
        assert_as_wanted(&mut PgConnection::connect_with(&options).await.unwrap()).await;
    }
}

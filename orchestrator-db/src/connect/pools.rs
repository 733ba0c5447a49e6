//! Pools of connections, and what their connections are told once.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, PgPool};

/// How long a connection must have been idle before it is asked whether it is still there. What breaks sooner is told by
/// the first statement, as an outage.
const TRUSTED: Duration = Duration::from_secs(1);

/// For connections of PostgreSQL whose statements are made all day. A plan made for the values of one call may be one that
/// sorts all there is, and one made while a table was small reads all of it as long as it is kept: until the table is analyzed,
/// which may be a minute and ten thousand rows later.
pub(crate) const STEADY_PLANS: [(&str, &str); 2] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];

/// Has the database ask every now and then whether an idle connection is still there. What stands between two machines
/// forgets connections on which nothing happens, and a listener waits for ever on one that is forgotten.
pub(super) const KEEP_ALIVE: [(&str, &str); 2] = [("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10")];

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
                // Not every database that speaks PostgreSQL's protocol has the setting, and none needs it.
                let set = sqlx::query("SET plan_cache_mode = force_generic_plan").execute(&mut *connection).await;
                if let Err(error) = set {
                    tracing::debug!(%error, "the database plans statements in its own way");
                }
                for (setting, seconds) in KEEP_ALIVE {
                    let set = sqlx::query("SELECT set_config($1, $2, FALSE)").bind(setting).bind(seconds);
                    if let Err(error) = set.execute(&mut *connection).await {
                        tracing::debug!(%error, "the database does not ask whether connections are still there");
                    }
                }
                Ok(())
            })
        })
}

/// Begins on a connection of the pool. Connections that were used a moment ago are not tried out before, so after a restart of
/// the database some are dead: nothing has happened on them, and the next one is taken. In a box: a call keeps room for the
/// largest of its steps, and what a pool does to connect would be 14 KiB of every call, of most of which it is no step at all.
pub(super) async fn begin(
    pool: &PgPool,
    statement: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    let mut dead = 0;
    loop {
        match Box::pin(pool.begin_with(statement)).await {
            Err(error) if is_dead(&error) && dead < pool.options().get_max_connections() => dead += 1,
            outcome => return outcome,
        }
    }
}

/// Whether the connection was closed from the other side.
pub(crate) fn is_dead(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02")),
        _ => false,
    }
}

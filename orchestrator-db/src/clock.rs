//! The database's clock, by which servers discipline their own. Nothing else asks for it: every instant in a statement
//! is an argument.

use orchestrator_core::clock::Timestamp;

use crate::connect::Db;
use crate::error::DbError;

impl Db {
    /// What the database's clock shows; `None` on SQLite, which has no clock but this machine's.
    pub async fn clock(&self) -> Result<Option<Timestamp>, DbError> {
        let Some(pool) = self.postgres() else { return Ok(None) };
        let shown: Timestamp =
            sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await.map_err(DbError::in_op("clock"))?;
        Ok(Some(shown))
    }
}

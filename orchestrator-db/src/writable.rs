//! Whether a database that answers takes writes, too: one that does not looks well to whoever only reads.

use crate::connect::Db;
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::rows::execute;
use crate::tx::Tx;

/// There is no such setting. Where nothing may be written this is refused nevertheless.
const WRITE_NOTHING: Sql = sql!["UPDATE settings SET value = value WHERE name = ''"];

impl Db {
    /// Reads, and asks the database to write nothing. Fails where it does not answer, and where it takes no writes (see
    /// [`DbError::is_read_only`]); a full disk is met only by what writes something. It does not wait for
    /// who writes: that SQLite's one writer is at work for long is an answer, too.
    pub async fn check_writes(&self) -> Result<(), DbError> {
        if self.sqlite().is_some() {
            self.begin_read().await?.rollback().await?;
        }
        let Some(writer) = self.free_writer().await? else { return Ok(()) };
        writer.write_nothing().await
    }
}

impl Tx {
    async fn write_nothing(mut self) -> Result<(), DbError> {
        execute!(self, "check_writes", WRITE_NOTHING, [])?;
        self.rollback().await
    }
}

#[cfg(test)]
crate::statements::statements![WRITE_NOTHING];

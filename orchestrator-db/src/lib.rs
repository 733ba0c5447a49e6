//! Storage on SQLite (embedded) and PostgreSQL, from one SQL text.
//!
//! [`Db`] opens a database and begins transactions; everything else is a method of [`Tx`], noun first
//! (`job_claim`, `trigger_list_due`), in one module per entity. Nothing here reads a clock: the instant is an argument.

mod connect;
mod dialect;
mod error;
mod hint;
mod lists;
mod page;
mod rows;
mod token;
mod tx;

pub use connect::{ConnectError, Db, DbOptions, MigrationStatus};
pub use dialect::Dialect;
pub use error::{Corrupt, DbError, Readable};
pub use hint::{Heard, Hint, Listener};
pub use page::PageRequest;
pub use token::{NewToken, StoredToken};
pub use tx::Tx;

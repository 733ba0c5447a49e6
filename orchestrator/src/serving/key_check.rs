//! Whether the key file is the one that this database was set up with: a value that is encrypted once and read at every
//! start.

use orchestrator_core::clock::Timestamp;
use orchestrator_core::secret::{Ciphertext, KeyRing, Location, Plaintext};
use orchestrator_db::Db;

use super::error::ServingError;

const SETTING: &str = "key_check";
const PLACE: Location<'static> = Location { table: "settings", row: SETTING, column: "value" };

/// Refuses a key file that cannot read what this database's key wrote.
pub(super) async fn check(db: &Db, keys: &KeyRing, path: &std::path::Path, now: Timestamp) -> Result<(), ServingError> {
    let mut tx = db.begin_write().await?;
    let stored: Option<String> = tx.setting_get(SETTING).await?;
    if let Some(stored) = stored {
        let wrong = |source| ServingError::WrongKey { path: path.to_owned(), source };
        let stored = Ciphertext::from_stored(stored);
        keys.decrypt(PLACE, &stored).map_err(wrong)?;
        if keys.is_current(&stored) {
            return Ok(tx.rollback().await?);
        }
        // After a rotation it moves to the new key, or the old one could never be dropped.
    }
    let sealed = keys.encrypt(PLACE, &Plaintext::new("this database's key".to_owned()))?;
    tx.setting_set(SETTING, &sealed.as_str(), now).await?;
    Ok(tx.commit().await?)
}

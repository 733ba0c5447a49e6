//! The file of a SQLite database: its owner's, and one server's at a time.

use std::fs::File;
use std::path::Path;

use super::ConnectError;

/// Makes the database file, readable by its owner only, where there is none. Its companions take over its mode.
pub(crate) fn own_file(database: &Path) -> Result<(), ConnectError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(database) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(ConnectError::File { path: database.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Takes the lock beside the database file. It is held as long as the file is open.
pub(crate) fn lock_file(database: &Path) -> Result<File, ConnectError> {
    let path = database.to_path_buf();
    let mut lock_path = path.clone().into_os_string();
    lock_path.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|source| ConnectError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ConnectError::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(ConnectError::Lock { path, source }),
    }
}

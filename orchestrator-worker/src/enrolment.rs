//! A worker's token on its machine: kept where only the worker's user can read it, and found there by itself.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// Where the token is, below the agent's folder.
pub fn token_file(data: &Path) -> PathBuf {
    data.join("token")
}

/// Keeps a token; whether another one was there.
pub fn keep(data: &Path, token: &SecretString) -> io::Result<bool> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)?;
    let file = token_file(data);
    let before = std::fs::read_to_string(&file).ok();
    // Temporary files are readable by their owner alone, and the one that is there stays until the new one is whole.
    let mut new = tempfile::NamedTempFile::new_in(data)?;
    writeln!(new, "{}", token.expose_secret())?;
    new.as_file().sync_all()?;
    new.persist(&file).map_err(|error| error.error)?;
    Ok(before.is_some_and(|before| before.trim() != token.expose_secret()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_its_user_alone_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("worker");
        assert!(!keep(&data, &SecretString::from("first")).unwrap());
        assert!(!keep(&data, &SecretString::from("first")).unwrap(), "the same one is no other");
        assert!(keep(&data, &SecretString::from("second")).unwrap());
        assert_eq!(std::fs::read_to_string(token_file(&data)).unwrap(), "second\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&token_file(&data)), mode(&data)), (0o600, 0o700));
        }
    }
}

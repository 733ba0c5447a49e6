//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a new file with a secret in it. Fails with `AlreadyExists` when there is one.
pub(crate) fn create(path: &Path, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write(options.open(path)?, content)
}

/// Replaces a file in one step, so that a reader sees the old content or the new one. Its owner stays who it was: what root
/// writes for a service must be the service's.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // Such files are made for their owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content.as_bytes())?;
    file.as_file().sync_all()?;
    if path.exists() {
        keep_owner(path, file.path())?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Gives a file to whoever has the other one, where that is somebody else. Only root can.
#[cfg(unix)]
pub(crate) fn keep_owner(of: &Path, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let (wanted, is) = (fs::metadata(of)?, fs::metadata(file)?);
    if (wanted.uid(), wanted.gid()) == (is.uid(), is.gid()) {
        return Ok(());
    }
    std::os::unix::fs::chown(file, Some(wanted.uid()), Some(wanted.gid()))
}

/// Gives a file to whoever has the other one. Nothing on systems without such owners.
#[cfg(not(unix))]
pub(crate) fn keep_owner(_of: &Path, _file: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a folder (and those above it) that only its owner may enter; leaves one that is there alone.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Whether others than the owner may read the file. Never on systems without such modes.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

/// Whether others than the owner may read the file. Never on systems without such modes.
#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_path: &Path) -> bool {
    false
}

fn write(mut file: File, content: &str) -> io::Result<()> {
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_the_owners_alone_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create(&path, "one").unwrap();
        assert!(!is_open_to_others(&path));
        assert_eq!(create(&path, "two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "three").unwrap();
        assert!(!is_open_to_others(&path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    }
}

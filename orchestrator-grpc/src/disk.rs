//! How much room the disks have on which a server keeps something: a full one ends all writing, and it is seen coming.

use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::clock::Timestamp;
use orchestrator_proto::v1;

/// What is told of the machine that a server runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// When the server's certificate ends.
    pub certificate_ends_at: Option<Timestamp>,
    /// What the server keeps, in words, and where.
    pub places: Vec<(&'static str, PathBuf)>,
}

/// Looks at the disks. One that cannot be looked at is left out, after a log line.
pub(crate) async fn disks(places: Vec<(&'static str, PathBuf)>) -> Vec<v1::Disk> {
    // A network drive may take its time.
    let looked =
        tokio::task::spawn_blocking(move || places.iter().filter_map(|(holds, path)| look(holds, path)).collect());
    looked.await.unwrap_or_default()
}

/// The disk that a path lies on.
pub fn look(holds: &str, path: &Path) -> Option<v1::Disk> {
    match room(path) {
        Ok((free_bytes, total_bytes)) => Some(v1::Disk { holds: holds.to_owned(), free_bytes, total_bytes }),
        Err(error) => {
            tracing::debug!(error = %error, path = %path.display(), "a disk cannot be looked at");
            None
        }
    }
}

/// What this user may still write, and all there is, in bytes.
#[cfg(unix)]
fn room(path: &Path) -> io::Result<(u64, u64)> {
    let found = rustix::fs::statvfs(path)?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// What this user may still write, and all there is, in bytes.
#[cfg(windows)]
fn room(path: &Path) -> io::Result<(u64, u64)> {
    use sysinfo::{DiskRefreshKind, Disks};

    let path = std::path::absolute(path)?;
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage());
    let disks = disks.map_err(io::Error::other)?;
    let of_path = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
    let disk = of_path.max_by_key(|disk| disk.mount_point().components().count());
    disk.map(|disk| (disk.available_space(), disk.total_space())).ok_or_else(|| io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_has_no_more_room_than_there_is_and_one_that_is_not_there_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let places = vec![("the database", folder.path().to_owned()), ("nothing", folder.path().join("not there"))];
        let found = disks(places).await;
        assert_eq!(found.len(), 1);
        assert!(found[0].holds == "the database" && found[0].free_bytes <= found[0].total_bytes, "{found:?}");
        assert!(found[0].total_bytes > 0);
    }
}

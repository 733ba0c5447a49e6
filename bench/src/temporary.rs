//! The temporary folder, which has everything that is measured: the cluster, the files of SQLite and the log of the disk's limit.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// What keeps files in memory: a sync costs nothing there, and commits are what is measured.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];

/// Refuses a temporary folder that is in memory.
pub(crate) fn ensure_on_a_disk() -> anyhow::Result<()> {
    let folder = std::env::temp_dir();
    let place = folder.canonicalize().with_context(|| format!("the temporary folder {}", folder.display()))?;
    let mounts = std::fs::read_to_string("/proc/mounts").context("/proc/mounts")?;
    check(&folder, &place, &mounts)
}

fn check(folder: &Path, place: &Path, mounts: &str) -> anyhow::Result<()> {
    let kind = file_system(place, mounts).unwrap_or_default();
    ensure!(
        !IN_MEMORY.contains(&kind),
        "the temporary folder {} is in memory ({kind}), where a commit costs no sync, so that no figure would mean anything: \
         set TMPDIR to a folder on a disk that the user postgres can reach, such as /var/tmp",
        folder.display()
    );
    Ok(())
}

/// The kind of file system that a place is on. Of mounts on one another the last is seen.
fn file_system<'a>(place: &Path, mounts: &'a str) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((unescaped(fields.next()?), fields.next()?))
    });
    let around = mounts.filter(|(point, _)| place.starts_with(point));
    around.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// The kernel writes blanks in octal.
fn unescaped(point: &str) -> PathBuf {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.into_iter().fold(point.to_owned(), |point, (escape, meant)| point.replace(escape, meant)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/disk xfs rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/vdc /srv ext4 rw 0 0
tmpfs /srv tmpfs rw 0 0
tmpfs /my\\040folder tmpfs rw 0 0
";

    fn on(place: &str) -> Option<&str> {
        file_system(Path::new(place), MOUNTS)
    }

    #[test]
    fn a_folder_is_on_the_innermost_mount_around_it() {
        assert_eq!(on("/var/tmp"), Some("ext4"));
        assert_eq!(on("/tmp/bench"), Some("tmpfs"));
        assert_eq!(on("/tmp/disk/bench"), Some("xfs"));
        assert_eq!(on("/tmpfolder"), Some("ext4"));
        assert_eq!(on("/my folder/bench"), Some("tmpfs"));
    }

    #[test]
    fn of_two_mounts_on_one_another_the_later_is_seen() {
        assert_eq!(on("/srv/bench"), Some("tmpfs"));
    }

    #[test]
    fn a_folder_in_memory_is_refused_by_name_and_with_what_to_set() {
        let refused = check(Path::new("/tmp"), Path::new("/tmp"), MOUNTS).expect_err("it is in memory").to_string();
        assert!(refused.starts_with("the temporary folder /tmp is in memory (tmpfs)"), "{refused}");
        assert!(refused.contains("set TMPDIR"), "{refused}");
        check(Path::new("/var/tmp"), Path::new("/var/tmp"), MOUNTS).expect("a folder on a disk");
    }
}

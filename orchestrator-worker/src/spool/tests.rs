//! What a spool promises across crashes, within its limits.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::id::JobId;

use super::{AppendError, Entry, Head, SpoolFile, SpoolLimits, Spools};

const ROOM: SpoolLimits = SpoolLimits { worker_bytes: 1 << 20, job_bytes: 1 << 20 };

struct World {
    folder: tempfile::TempDir,
    head: Head,
}

impl World {
    fn new() -> Self {
        let head = Head { job_id: JobId::generate().to_string(), lease_token: 7, ..Head::default() };
        Self { folder: tempfile::tempdir().unwrap(), head }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    fn spools(&self, limits: SpoolLimits) -> Spools {
        Spools::open(&self.path(), limits).unwrap()
    }

    async fn file(&self) -> SpoolFile {
        self.spools(ROOM).create(self.head.clone()).await.unwrap()
    }

    /// The one file that an earlier agent left.
    fn reopened(&self) -> SpoolFile {
        let (head, file) = self.spools(ROOM).left().unwrap().remove(0);
        assert_eq!(head, self.head);
        file
    }
}

async fn append(file: &SpoolFile, text: &str) -> Result<(), AppendError> {
    file.append("Log", Bytes::copy_from_slice(text.as_bytes()), SystemClock.now()).await
}

async fn texts(file: &SpoolFile) -> Vec<String> {
    let entries: Vec<Entry> = file.first(u64::MAX).await.unwrap();
    entries.into_iter().map(|entry| String::from_utf8(entry.message.to_vec()).unwrap()).collect()
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_crash_in_order_and_goes_on() {
    let world = World::new();
    let file = world.file().await;
    for text in ["a", "b", "c"] {
        append(&file, text).await.unwrap();
    }
    let first = file.first(1).await.unwrap();
    assert_eq!(first.len(), 1, "one entry is given whatever its size");
    file.delivered(first[0].seq).await.unwrap();
    drop(file);

    let file = world.reopened();
    assert!(!file.is_empty());
    append(&file, "d").await.unwrap();
    assert_eq!(texts(&file).await, ["b", "c", "d"]);
    let last = file.first(u64::MAX).await.unwrap().pop().unwrap();
    file.delivered(last.seq).await.unwrap();
    assert!(file.is_empty());
    assert_eq!(texts(&file).await, [""; 0]);
    append(&file, "e").await.unwrap();
    assert_eq!(texts(&world.reopened()).await, ["e"]);
}

#[tokio::test]
async fn what_a_crash_tore_off_is_dropped_and_what_was_promised_is_not() {
    let world = World::new();
    let file = world.file().await;
    append(&file, "promised").await.unwrap();
    let path = file.path().to_owned();
    let whole = length(&path);
    append(&file, "torn").await.unwrap();
    drop(file);
    for torn in whole..length(&path) {
        let copy = std::fs::read(&path).unwrap();
        std::fs::write(&path, &copy[..usize::try_from(torn).unwrap()]).unwrap();
        let file = world.reopened();
        assert_eq!(texts(&file).await, ["promised"]);
        append(&file, "next").await.unwrap();
        assert_eq!(texts(&world.reopened()).await, ["promised", "next"]);
        std::fs::write(&path, copy).unwrap();
    }
}

#[tokio::test]
async fn what_the_disk_has_damaged_takes_nothing_with_it_that_follows() {
    let world = World::new();
    let file = world.file().await;
    let mut starts = Vec::new();
    let path = file.path().to_owned();
    for text in ["first", "second", "third"] {
        starts.push(length(&path));
        append(&file, text).await.unwrap();
    }
    drop(file);
    let mut bytes = std::fs::read(&path).unwrap();
    let in_second = usize::try_from(starts[2]).unwrap() - 1;
    bytes[in_second] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let file = world.reopened();
    assert_eq!(texts(&file).await, ["first", "third"]);
    append(&file, "next").await.unwrap();
    assert_eq!(texts(&world.reopened()).await, ["first", "third", "next"]);
    assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
}

#[tokio::test]
async fn what_the_disk_has_damaged_is_counted_until_it_is_announced_and_is_announced_once() {
    let world = World::new();
    let file = world.file().await;
    let path = file.path().to_owned();
    let mut ends = Vec::new();
    for text in ["first", "second", "third", "fourth"] {
        append(&file, text).await.unwrap();
        ends.push(usize::try_from(length(&path)).unwrap());
    }
    drop(file);
    let damage = |record: usize| {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[ends[record] - 1] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
    };
    damage(1);
    damage(2);
    let file = world.reopened();
    let found = file.damage().await.unwrap();
    assert_eq!((found.count, found.since), (2, file.first(1).await.unwrap()[0].at));
    assert_eq!(file.kept_damaged(), Some(path.with_extension("damaged")));
    // A line of the same id is the same line, however often it is told.
    assert_eq!(world.reopened().damage().await, Some(found));

    file.damage_announced().await.unwrap();
    assert_eq!((world.reopened().damage().await, texts(&world.reopened()).await.len()), (None, 2));
    damage(0);
    let file = world.reopened();
    assert_eq!(file.damage().await.unwrap().count, 1, "what was announced is not counted again");
    file.delivered(4).await.unwrap();
    assert!(!file.is_empty(), "the announcement is owed");
    file.damage_announced().await.unwrap();
    assert!(file.is_empty() && world.reopened().is_empty());
    assert_eq!(world.reopened().damage().await, None);
}

/// A spool file of five entries, and where each begins; the last number is the file's length.
async fn of_five(world: &World) -> (PathBuf, Vec<usize>) {
    let file = world.file().await;
    let path = file.path().to_owned();
    let mut starts = vec![usize::try_from(length(&path)).unwrap()];
    for text in ["1", "2", "3", "4", "5"] {
        append(&file, text).await.unwrap();
        starts.push(usize::try_from(length(&path)).unwrap());
    }
    (path, starts)
}

#[tokio::test]
async fn a_damaged_length_takes_nothing_with_it_that_follows() {
    let world = World::new();
    let (path, starts) = of_five(&world).await;
    let sound = std::fs::read(&path).unwrap();
    for (byte, bit) in (0..4).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut bytes = sound.clone();
        bytes[starts[1] + byte] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let file = world.reopened();
        assert_eq!(texts(&file).await, ["1", "3", "4", "5"], "bit {bit} of byte {byte}");
        let found = file.damage().await.unwrap();
        assert_eq!((found.count, found.since), (1, file.first(1).await.unwrap()[0].at), "bit {bit} of byte {byte}");
        assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
        append(&file, "6").await.unwrap();
        let again = world.reopened();
        assert_eq!((texts(&again).await.len(), again.damage().await), (5, Some(found)), "bit {bit} of byte {byte}");
    }
}

#[tokio::test]
async fn damaged_lengths_side_by_side_are_all_counted() {
    let world = World::new();
    let (path, starts) = of_five(&world).await;
    let mut bytes = std::fs::read(&path).unwrap();
    for start in &starts[1..4] {
        bytes[*start] ^= 4;
    }
    std::fs::write(&path, &bytes).unwrap();
    let file = world.reopened();
    assert_eq!((texts(&file).await, file.damage().await.unwrap().count), (vec!["1".to_owned(), "5".to_owned()], 3));
}

#[tokio::test]
async fn what_is_damaged_at_the_end_is_kept_and_counted_once() {
    let world = World::new();
    let (path, starts) = of_five(&world).await;
    let sound = std::fs::read(&path).unwrap();
    // Which bytes are changed, and how many entries are lost with them.
    let cases = [
        (vec![starts[4] - 1, starts[5] - 1], 2),
        (vec![starts[3] - 1, starts[4] - 1, starts[5] - 1], 3),
        (vec![starts[3], starts[5] - 1], 2),
        (vec![starts[4]], 1),
    ];
    for (changed, count) in cases {
        let mut bytes = sound.clone();
        for at in &changed {
            bytes[*at] ^= 4;
        }
        std::fs::write(&path, &bytes).unwrap();
        let file = world.reopened();
        let found = file.damage().await.unwrap();
        assert_eq!((found.count, texts(&file).await.len() as u64), (count, 5 - count), "{changed:?}");
        assert_eq!(std::fs::read(path.with_extension("damaged")).unwrap(), bytes);
        append(&file, "next").await.unwrap();
        let again = world.reopened();
        assert_eq!((again.damage().await, texts(&again).await.pop()), (Some(found), Some("next".to_owned())));
        again.damage_announced().await.unwrap();
        assert_eq!(world.reopened().damage().await, None, "{changed:?}");
    }
}

#[tokio::test]
async fn a_last_record_of_which_nothing_but_room_was_written_is_torn_off() {
    let world = World::new();
    let (path, starts) = of_five(&world).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[starts[4]..].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let file = world.reopened();
    assert_eq!((texts(&file).await.len(), file.damage().await), (4, None));
    assert!(!path.with_extension("damaged").exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_left_as_it_is_and_stops_no_other() {
    let world = World::new();
    append(&world.file().await, "kept").await.unwrap();
    // Nobody can read a folder as a file, whatever he may.
    let unusable = world.path().join("0-unusable.spool");
    std::fs::create_dir(&unusable).unwrap();
    assert_eq!(texts(&world.reopened()).await, ["kept"]);
    assert!(unusable.exists());
}

#[tokio::test]
async fn a_file_without_a_beginning_is_set_aside_and_stops_nothing() {
    let world = World::new();
    let spools = world.spools(ROOM);
    std::fs::write(world.path().join("torn.spool"), b"\x10\0\0").unwrap();
    std::fs::write(world.path().join("empty.spool"), b"").unwrap();
    assert!(spools.left().unwrap().is_empty());
    assert!(world.path().join("torn.damaged").exists() && !world.path().join("empty.spool").exists());
}

#[tokio::test]
async fn limits_hold_for_the_job_and_for_all_and_room_comes_back() {
    let world = World::new();
    let spools = world.spools(SpoolLimits { worker_bytes: 3000, job_bytes: 2000 });
    let file = spools.create(world.head.clone()).await.unwrap();
    let text = "x".repeat(1500);
    append(&file, &text).await.unwrap();
    let full = append(&file, &text).await.unwrap_err();
    assert!(matches!(full, AppendError::Full { whose: "job's", limit: 2000 }), "{full}");

    let other = Head { job_id: JobId::generate().to_string(), ..Head::default() };
    let other = spools.create(other).await.unwrap();
    let full = append(&other, &text).await.unwrap_err();
    assert!(matches!(full, AppendError::Full { whose: "worker's", limit: 3000 }), "{full}");

    file.delivered(1).await.unwrap();
    append(&other, &text).await.unwrap();
    other.remove().await;
    append(&file, &text).await.unwrap();
    assert_eq!(texts(&file).await, [text]);
}

#[tokio::test]
async fn lines_that_had_no_room_are_counted_across_a_crash_until_they_are_announced() {
    let world = World::new();
    let file = world.file().await;
    append(&file, "kept").await.unwrap();
    for _ in 0..9 {
        file.count_lost(1, SystemClock.now()).await;
    }
    assert_eq!(file.lost().await.unwrap().count, 9);
    let id = file.lost().await.unwrap().id;
    drop(file);

    let file = world.reopened();
    let lost = file.lost().await.unwrap();
    // At least to the last doubling, and under the same id: announced twice it is one line.
    assert_eq!((lost.count, &lost.id), (8, &id));
    file.delivered(1).await.unwrap();
    assert!(!file.is_empty(), "the announcement is owed");
    file.count_lost(2, SystemClock.now()).await;
    file.announced(&lost).await.unwrap();
    let later = file.lost().await.unwrap();
    assert!(later.count == 2 && later.id != id, "{later:?}");
    file.announced(&later).await.unwrap();
    assert!(file.is_empty());
    assert!(world.reopened().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_a_spool() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let file = world.file().await;
    for (path, expected) in [(world.path(), 0o700), (file.path().to_owned(), 0o600)] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected, "{}", path.display());
    }
}

#[tokio::test]
async fn a_byte_that_changed_on_the_disk_is_noticed_when_it_is_read() {
    let world = World::new();
    let file = world.file().await;
    append(&file, "original").await.unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    let changed = bytes.iter().map(|byte| if *byte == b'o' { b'0' } else { *byte }).collect::<Vec<_>>();
    std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().write_all(&changed).unwrap();
    assert!(file.first(u64::MAX).await.is_err());
}

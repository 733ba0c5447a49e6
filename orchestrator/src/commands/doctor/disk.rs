//! Room on the disks of the server's machine: a full one ends all writing.

use orchestrator_proto::v1 as pb;

use super::check::Check;

const NAME: &str = "disk";

/// With less, it is full before anybody has looked: even what makes room (a backup, pruning, SQLite's log) needs some.
const FULL: u64 = 256 * MIB;
/// With less, it is time to make room.
const NEARLY_FULL: u64 = 2048 * MIB;

const MIB: u64 = 1024 * 1024;

/// What to do, as far as it is the same everywhere.
const FIX: &str = "make room, or give the server a larger disk; where [retention] says how long things are kept, what is old makes room \
                   for what is new (orchestrator db prune --logs 90days --dry-run counts it)";

/// A finding a disk, each under what the server keeps there.
pub(super) fn disks(disks: &[pb::Disk]) -> Vec<Check> {
    disks.iter().map(check).collect()
}

fn check(disk: &pb::Disk) -> Check {
    let (holds, free, total) = (&disk.holds, disk.free_bytes / MIB, disk.total_bytes / MIB);
    let finding = format!("{free} MiB of {total} are free on the disk with {holds}");
    match disk.free_bytes {
        ..FULL => {
            Check::bad(NAME, format!("{finding}: when it is full, nothing is written and nothing new starts"), FIX)
        }
        FULL..NEARLY_FULL => Check::odd(NAME, format!("{finding}, less than {} MiB", NEARLY_FULL / MIB), FIX),
        NEARLY_FULL.. => Check::good(NAME, finding),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Outcome;
    use super::*;

    #[test]
    fn a_disk_with_little_room_is_told_before_it_is_full() {
        let of = |free_mib: u64| {
            let (free_bytes, total_bytes) = (free_mib * MIB, 100_000 * MIB);
            check(&pb::Disk { holds: "the database".to_owned(), free_bytes, total_bytes })
        };
        let outcomes = [0, 255, 256, 2047, 2048].map(|free| of(free).outcome);
        assert_eq!(outcomes, [Outcome::Bad, Outcome::Bad, Outcome::Odd, Outcome::Odd, Outcome::Good]);
        assert_eq!(of(5000).finding, "5000 MiB of 100000 are free on the disk with the database");
        assert!(of(10).fix.contains("make room") && of(10).finding.contains("nothing new starts"));
    }
}

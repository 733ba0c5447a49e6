//! Processes as Linux tells of them, below `/proc`.

use std::fs;
use std::io;
use std::str::FromStr;

use rustix::time::{ClockId, clock_gettime};

use super::Identity;
use super::cookie::Mark;
use super::scan::Seen;

/// All processes that this one may see. An error says that some may be missing, which is not to say that they are gone.
pub(crate) fn look_at_all() -> io::Result<Vec<Seen>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            all.extend(look_at(pid)?);
        }
    }
    Ok(all)
}

/// One process; none when it is gone, or hidden from this one.
pub(crate) fn look_at(pid: u32) -> io::Result<Option<Seen>> {
    let Some(stat) = Stat::of(pid)? else { return Ok(None) };
    // That of another user's process is not readable: it bears no mark for us.
    let environment = read_if_shown(&format!("/proc/{pid}/environ"))?.unwrap_or_default();
    Ok(Some(Seen {
        identity: Identity { pid, started: stat.started },
        parent: Some(stat.parent),
        group: stat.group,
        name: stat.name,
        mark: Mark::in_environment(environment.split(|byte| *byte == 0)),
        is_dead: stat.is_dead,
    }))
}

/// A file of a process; none where the process is gone, or the file is not for everybody.
fn read_if_shown(path: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this process is shown those of other users. A robot that became another user cannot be found where it is not.
pub(crate) fn sees_others() -> bool {
    matches!(Stat::of(1), Ok(Some(_)))
}

/// The present, as start times are counted.
pub(crate) fn kernel_now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned());
    seconds * ticks_per_second() + nanos * ticks_per_second() / 1_000_000_000
}

/// The start of the machine by its random id, and the pid namespace by its number and by when its first process started:
/// containers begin their ids anew, under the same kernel. The first process may be hidden, and a number may be used again.
pub(crate) fn era() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let first = Stat::of(1).ok().flatten().map_or_else(String::new, |first| first.started.to_string());
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}:{}:{first}", boot.trim(), namespace.display())
}

/// The process with this id if it started at this second of the wall clock, as versions before eras wrote it down. The clock
/// must not have been set since: a process that is not recognised is not touched.
pub(crate) fn started_at_second(pid: u32, second: u64) -> Option<Identity> {
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let stat = Stat::of(pid).ok()??;
    let started = boot + stat.started / ticks_per_second();
    // The kernel rounds the start of the machine as its clock is disciplined.
    (started.abs_diff(second) <= 1).then_some(Identity { pid, started: stat.started })
}

fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// What `/proc/PID/stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    group: Option<u32>,
    is_dead: bool,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> io::Result<Option<Self>> {
        Ok(read_if_shown(&format!("/proc/{pid}/stat"))?.as_deref().and_then(Self::parse))
    }

    /// `PID (name) state parent group …`; the name may hold anything, parentheses among it.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let (head, rest) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first of them is the third of the whole line.
        let field = |number: usize| fields.get(number - 3).copied();
        let threads: u32 = parsed(field(20))?;
        let has_ended = matches!(field(3)?, "Z" | "X" | "x");
        Some(Self {
            name: name.to_owned(),
            parent: parsed(field(4))?,
            group: parsed(field(5)).filter(|group| *group != 0),
            // Only its first thread may have ended.
            is_dead: has_ended && threads <= 1,
            started: parsed(field(22))?,
        })
    }
}

fn parsed<T: FromStr>(field: Option<&str>) -> Option<T> {
    field?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, state: &str, threads: u32) -> String {
        format!(
            "7 ({name}) {state} 3 5 4 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0 18446744073709551615 0"
        )
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_line() {
        let stat = Stat::parse(line("a) R 1 1 (b", "S", 1).as_bytes()).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent, stat.started), ("a) R 1 1 (b", 3, 4711));
        assert_eq!((stat.group, stat.is_dead), (Some(5), false));
        assert_eq!(Stat::parse(b"7 (cut) S 3 5"), None);
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_lives_on_in_the_others() {
        assert!(Stat::parse(line("robot", "Z", 1).as_bytes()).unwrap().is_dead);
        assert!(!Stat::parse(line("robot", "Z", 2).as_bytes()).unwrap().is_dead);
    }

    #[test]
    fn start_times_and_the_present_are_on_one_clock() {
        let own = Stat::of(std::process::id()).unwrap().unwrap();
        let age = kernel_now().checked_sub(own.started).unwrap();
        assert!(age < ticks_per_second() * 3600, "{age} ticks");
    }

    #[test]
    fn a_start_by_the_wall_clock_names_its_process_and_no_successor() {
        let boot = fs::read_to_string("/proc/stat").unwrap();
        let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().trim().parse().unwrap();
        let own = Stat::of(std::process::id()).unwrap().unwrap();
        let second = boot + own.started / ticks_per_second();
        let found = started_at_second(std::process::id(), second);
        assert_eq!(found, Some(Identity { pid: std::process::id(), started: own.started }));
        assert_eq!(started_at_second(std::process::id(), second - 3600), None, "the clock was set");
    }
}

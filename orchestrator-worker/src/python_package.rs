//! The `OpenOrchestrator` package that Python robots import, unpacked where their interpreters look first.
//!
//! The worker carries the package. It unpacks it into a folder of its own whose name is made from the content, and puts that
//! folder first on `PYTHONPATH`: there it wins over whatever a robot's virtual environment has installed under the same name.
//! Robots of one user can write into the folder, so it is looked at before every start, and healed: read through, or where the
//! system says that nothing of it was touched since it was, believed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use orchestrator_core::clock::{Clock as _, SystemClock};
use sha2::{Digest as _, Sha256};

/// The files: their path with `/`, their content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/python_package.rs"));

/// What Python itself leaves beside sources.
const COMPILED: &str = "__pycache__";

/// What had to be done to have the package in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Whole,
    /// It was not there.
    Unpacked,
    /// Something was missing, changed or added.
    Healed,
}

/// Why the package is not there for robots.
#[derive(Debug, thiserror::Error)]
pub enum PythonPackageError {
    /// The operating system refused.
    #[error("the Python package for robots cannot be unpacked to '{}': {source}", folder.display())]
    Io {
        /// Where it is to be.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path has a character in it that separates paths.
    #[error("'{}' cannot stand on PYTHONPATH, because of the separator in it; give the worker another --data folder", folder.display())]
    Separator {
        /// Where the package is.
        folder: PathBuf,
    },
}

/// The place of the package.
#[derive(Debug, Clone)]
pub struct PythonPackage {
    folder: PathBuf,
    /// What the system said of each file and folder when all of it was whole.
    whole: Arc<Mutex<Option<Vec<Stamp>>>>,
}

/// What the system says of a file or folder. Whoever touches it changes this, and cannot set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// When it was changed, in seconds since 1970 and nanoseconds.
    changed: (i64, i64),
}

/// So long ago, in seconds, a change must have been for the next one to be told from it: file systems count time in steps, of
/// two seconds at most.
const SETTLED: i64 = 4;

impl PythonPackage {
    /// The place for this worker's version of the package below `parent`. Nothing is written yet.
    pub fn below(parent: &Path) -> Self {
        Self { folder: parent.join(format!("{}-{}", env!("CARGO_PKG_VERSION"), digest())), whole: Arc::default() }
    }

    /// The folder that goes on `PYTHONPATH`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The value of `PYTHONPATH` for a robot: this folder, then what the worker has there itself.
    pub fn python_path(&self, inherited: Option<&OsStr>) -> Result<OsString, PythonPackageError> {
        let inherited = inherited.filter(|paths| !paths.is_empty());
        let others = inherited.into_iter().flat_map(std::env::split_paths);
        let joined = std::env::join_paths([self.folder.clone()].into_iter().chain(others));
        joined.map_err(|_| PythonPackageError::Separator { folder: self.folder.clone() })
    }

    /// Removes other versions, and what Python compiled of this one: what is executed afterwards comes from the sources.
    /// For the start of an agent, when no robot runs.
    pub fn forget_the_past(&self) -> Result<(), PythonPackageError> {
        let tidy = || -> io::Result<()> {
            let Some(parent) = self.folder.parent().filter(|parent| parent.is_dir()) else { return Ok(()) };
            for entry in fs::read_dir(parent)? {
                let path = entry?.path();
                if path != self.folder {
                    remove(&path)?;
                }
            }
            remove_compiled(&self.folder)
        };
        tidy().map_err(|source| self.failed(source))
    }

    /// Makes sure that the folder holds the package, and nothing else that Python would find. Any number of agents and
    /// threads may do so at once.
    pub fn ensure(&self) -> Result<Found, PythonPackageError> {
        if self.is_untouched() {
            return Ok(Found::Whole);
        }
        let before = self.stamps();
        let found = self.try_to_ensure().map_err(|source| self.failed(source))?;
        let settled =
            before.filter(|stamps| found == Found::Whole && are_settled(stamps, SystemClock.now().timestamp()));
        *self.whole() = settled;
        Ok(found)
    }

    /// Whether nothing was touched since the package was found whole. Takes some 50 µs.
    pub fn is_untouched(&self) -> bool {
        self.whole().as_ref().is_some_and(|whole| self.stamps().is_some_and(|now| now == *whole))
    }

    fn whole(&self) -> MutexGuard<'_, Option<Vec<Stamp>>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of all files and folders; nothing where one is not there, or the system does not say enough.
    fn stamps(&self) -> Option<Vec<Stamp>> {
        let known = &*KNOWN;
        known.files.iter().chain(&known.folders).map(|name| stamp(&self.folder.join(name))).collect()
    }

    fn failed(&self, source: io::Error) -> PythonPackageError {
        PythonPackageError::Io { folder: self.folder.clone(), source }
    }

    fn try_to_ensure(&self) -> io::Result<Found> {
        if !self.folder.exists() && self.unpack()? {
            return Ok(Found::Unpacked);
        }
        let mut healed = self.clear_strangers(&KNOWN)?;
        for (name, content) in FILES {
            let path = self.folder.join(name);
            if fs::read(&path).is_ok_and(|found| found == *content) {
                continue;
            }
            healed = true;
            self.put(&path, content)?;
        }
        Ok(if healed { Found::Healed } else { Found::Whole })
    }

    /// Unpacks everything beside the place, then moves it there at once. False when another was first.
    fn unpack(&self) -> io::Result<bool> {
        let beside = self.beside()?;
        for (name, content) in FILES {
            let path = beside.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, content)?;
        }
        open_to_readers(beside.path())?;
        match fs::rename(beside.path(), &self.folder) {
            Ok(()) => {
                // It has gone from where it would be removed.
                let _ = beside.keep();
                Ok(true)
            }
            Err(_) if self.folder.exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what does not belong into the package's folders, and what stands in the way of its own.
    fn clear_strangers(&self, known: &Known) -> io::Result<bool> {
        let mut removed = false;
        for folder in &known.folders {
            let path = self.folder.join(folder);
            if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                remove(&path)?;
                removed = true;
            }
            if !path.is_dir() {
                fs::create_dir_all(&path)?;
                continue;
            }
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let within = folder.join(entry.file_name());
                let is_folder = entry.file_type()?.is_dir();
                let belongs = if is_folder {
                    known.folders.contains(&within) || (entry.file_name() == COMPILED && folder.parent().is_some())
                } else {
                    known.files.contains(&within) && entry.file_type()?.is_file()
                };
                if !belongs {
                    remove(&entry.path())?;
                    removed = true;
                }
            }
        }
        Ok(removed)
    }

    /// Puts a file into its place at once, so that an interpreter that starts meanwhile reads all of it.
    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let beside = self.beside()?;
        let file = beside.path().join("file");
        fs::write(&file, content)?;
        fs::rename(&file, path)
    }

    /// A new folder on the same file system.
    fn beside(&self) -> io::Result<tempfile::TempDir> {
        let parent = self.folder.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent)?;
        tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)
    }
}

/// What the package consists of.
struct Known {
    files: BTreeSet<PathBuf>,
    /// In an order in which parents come first.
    folders: BTreeSet<PathBuf>,
}

impl Known {
    fn new() -> Self {
        let files: BTreeSet<PathBuf> = FILES.iter().map(|(name, _)| PathBuf::from(name)).collect();
        let folders = files.iter().flat_map(|file| file.ancestors().skip(1).map(Path::to_owned)).collect();
        Self { files, folders }
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(Known::new);

/// Whether the last change was long enough ago, at so many seconds since 1970.
fn are_settled(stamps: &[Stamp], now: i64) -> bool {
    stamps.iter().all(|stamp| stamp.changed.0.saturating_add(SETTLED) <= now)
}

#[cfg(unix)]
fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.symlink_metadata().ok()?;
    let changed = (found.ctime(), found.ctime_nsec());
    Some(Stamp { device: found.dev(), inode: found.ino(), size: found.size(), changed })
}

/// Whoever writes a file may say when that was.
#[cfg(not(unix))]
fn stamp(_path: &Path) -> Option<Stamp> {
    None
}

/// A short name for the content.
fn digest() -> String {
    let mut hash = Sha256::new();
    for (name, content) in FILES {
        for part in [name.as_bytes(), content] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
    }
    let short = hash.finalize().iter().take(8).fold(0_u64, |short, byte| (short << 8) | u64::from(*byte));
    format!("{short:016x}")
}

/// Removes whatever is there; gone already is what was wanted.
fn remove(path: &Path) -> io::Result<()> {
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn remove_compiled(folder: &Path) -> io::Result<()> {
    for inner in &KNOWN.folders {
        remove(&folder.join(inner).join(COMPILED))?;
    }
    Ok(())
}

/// Temporary folders are closed to others; robots may run as somebody else one day.
#[cfg(unix)]
fn open_to_readers(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn open_to_readers(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PythonPackage) {
        let folder = tempfile::tempdir().unwrap();
        let package = PythonPackage::below(&folder.path().join("python"));
        (folder, package)
    }

    /// The package is there, and nothing beside it is left.
    fn assert_whole(package: &PythonPackage) {
        assert_eq!(package.ensure().unwrap(), Found::Whole);
        for (name, content) in FILES {
            assert_eq!(fs::read(package.folder().join(name)).unwrap(), *content, "{name}");
        }
        let beside = fs::read_dir(package.folder().parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1, "no leftovers of unpacking");
    }

    #[test]
    fn the_program_carries_what_robots_import() {
        let names: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        for name in [
            "OpenOrchestrator/__init__.py",
            "OpenOrchestrator/py.typed",
            "OpenOrchestrator/orchestrator_connection/connection.py",
            "OpenOrchestrator/database/queues.py",
            "OpenOrchestratorConnection/orchestrator_connection.py",
        ] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
        assert!(names.iter().all(|name| !name.contains(COMPILED)), "{names:?}");
    }

    #[test]
    fn it_is_unpacked_once() {
        let (_folder, package) = place();
        assert_eq!(package.ensure().unwrap(), Found::Unpacked);
        assert_whole(&package);
    }

    #[test]
    fn what_is_missing_changed_or_added_is_healed() {
        let (_folder, package) = place();
        package.ensure().unwrap();
        let connection = package.folder().join("OpenOrchestrator/orchestrator_connection/connection.py");
        fs::write(&connection, "import evil\n").unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Healed);
        assert_whole(&package);
        // As after a crash in the middle of writing, on a file system that kept only the names.
        fs::write(&connection, "").unwrap();
        fs::remove_dir_all(package.folder().join("OpenOrchestrator/database")).unwrap();
        fs::write(package.folder().join("json.py"), "import evil\n").unwrap();
        fs::create_dir(package.folder().join("requests")).unwrap();
        fs::create_dir(package.folder().join(COMPILED)).unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Healed);
        assert_whole(&package);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_replaced_and_what_they_point_to_is_left_alone() {
        let (folder, package) = place();
        package.ensure().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("mine.txt"), "mine").unwrap();
        let database = package.folder().join("OpenOrchestrator/database");
        fs::remove_dir_all(&database).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &database).unwrap();
        let init = package.folder().join("OpenOrchestrator/__init__.py");
        fs::remove_file(&init).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("mine.txt"), &init).unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Healed);
        assert_whole(&package);
        assert_eq!(fs::read(elsewhere.join("mine.txt")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    }

    #[test]
    fn what_python_compiled_stays_until_the_next_agent() {
        let (_folder, package) = place();
        package.ensure().unwrap();
        let compiled = package.folder().join("OpenOrchestrator").join(COMPILED);
        fs::create_dir(&compiled).unwrap();
        assert_whole(&package);
        assert!(compiled.is_dir());
        fs::create_dir(package.folder().parent().unwrap().join("0.0.1-0123456789abcdef")).unwrap();
        package.forget_the_past().unwrap();
        assert!(!compiled.exists());
        assert_whole(&package);
    }

    /// Leaves the package as if it had been made long ago.
    #[cfg(unix)]
    fn settle(package: &PythonPackage) {
        *package.whole() = package.stamps();
        assert!(package.is_untouched());
    }

    #[cfg(unix)]
    #[test]
    fn what_was_touched_is_read_again_whatever_it_looks_like() {
        let (_folder, package) = place();
        package.ensure().unwrap();
        let connection = package.folder().join("OpenOrchestrator/orchestrator_connection/connection.py");
        let written = fs::metadata(&connection).unwrap().modified().unwrap();
        let other = vec![b'#'; fs::read(&connection).unwrap().len()];
        settle(&package);
        // As long as it was, and from the same time.
        let mut file = fs::File::options().write(true).open(&connection).unwrap();
        std::io::Write::write_all(&mut file, &other).unwrap();
        file.set_modified(written).unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Healed);
        settle(&package);
        fs::write(package.folder().join("OpenOrchestrator/json.py"), "import evil\n").unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Healed);
        settle(&package);
        fs::remove_dir_all(package.folder()).unwrap();
        assert_eq!(package.ensure().unwrap(), Found::Unpacked);
    }

    #[cfg(unix)]
    #[test]
    fn what_was_written_a_moment_ago_is_not_believed() {
        let (_folder, package) = place();
        package.ensure().unwrap();
        package.ensure().unwrap();
        assert!(!package.is_untouched(), "a change in the same moment could not be told from it");
        let (stamps, now) = (package.stamps().unwrap(), SystemClock.now().timestamp());
        assert!(!are_settled(&stamps, now));
        assert!(are_settled(&stamps, now + SETTLED + 1));
    }

    #[test]
    fn many_at_once_do_not_disturb_each_other() {
        let (_folder, package) = place();
        let connection = package.folder().join("OpenOrchestrator/orchestrator_connection/connection.py");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        package.ensure().unwrap();
                        // Whoever reads meanwhile sees a whole file.
                        let read = fs::read(&connection).unwrap();
                        let whole = FILES.iter().any(|(_, content)| *content == read.as_slice());
                        assert!(whole || read == b"# torn\n", "{} bytes", read.len());
                        let torn =
                            package.folder().parent().unwrap().join(format!("{:?}", std::thread::current().id()));
                        fs::write(&torn, "# torn\n").unwrap();
                        fs::rename(&torn, &connection).unwrap();
                    }
                });
            }
        });
        package.ensure().unwrap();
        assert_whole(&package);
    }

    #[test]
    fn it_comes_first_on_the_path_and_what_was_there_stays() {
        let package = PythonPackage { folder: PathBuf::from("ours"), whole: Arc::default() };
        let joined = std::env::join_paths(["ours", "one", "two"]).unwrap();
        let inherited = std::env::join_paths(["one", "two"]).unwrap();
        assert_eq!(package.python_path(Some(&inherited)).unwrap(), joined);
        assert_eq!(package.python_path(Some(OsStr::new(""))).unwrap(), "ours");
        assert_eq!(package.python_path(None).unwrap(), "ours");
        let separator = if cfg!(windows) { "a;b\"" } else { "a:b" };
        let package = PythonPackage { folder: PathBuf::from(separator), whole: Arc::default() };
        assert!(package.python_path(None).unwrap_err().to_string().contains("--data"));
    }
}

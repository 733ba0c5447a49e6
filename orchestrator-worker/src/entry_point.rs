//! Which file of a process is run, found without leaving its folder and without following a link.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::source::EntryPoint;

/// What is run when the trigger names nothing.
const DEFAULT_NAME: &str = "main.py";
/// How many files and folders are looked at in search of it.
const SEARCH_LIMIT: usize = 100_000;

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum EntryPointError {
    /// The checkout has no such file.
    #[error("the repository contains no '{wanted}'")]
    NotFound {
        /// What was looked for.
        wanted: String,
    },
    /// A link stands where a file or folder is needed; it could lead out of the checkout.
    #[error("'{wanted}' is not run because '{}' is a link", link.display())]
    IsLink {
        /// What was looked for.
        wanted: String,
        /// The link, relative to the checkout.
        link: PathBuf,
    },
    /// It is there, but it is no file.
    #[error("'{wanted}' is not a file")]
    NotAFile {
        /// What was looked for.
        wanted: String,
    },
    /// The search was given up.
    #[error("found no '{wanted}' among the first {SEARCH_LIMIT} files; name the entry point in the trigger")]
    TooManyFiles {
        /// What was looked for.
        wanted: String,
    },
    /// A path that starts nowhere.
    #[error("the path '{}' is not absolute", path.display())]
    NotAbsolute {
        /// The path as given.
        path: PathBuf,
    },
    /// Nothing is at the path.
    #[error("the path '{}' does not exist on this worker", path.display())]
    NoSuchPath {
        /// The path as given.
        path: PathBuf,
    },
    /// The worker's configuration forbids it.
    #[error("the path '{}' is not under an allowed path of this worker ({})", path.display(), show(allowed))]
    NotAllowed {
        /// The path as given.
        path: PathBuf,
        /// The worker's `allowed_paths`.
        allowed: Vec<PathBuf>,
    },
    /// Repositories on the worker's own machine need to be allowed.
    #[error("the repository '{}' lies on the worker's machine, and the worker allows no such place; start it with --allow-path", path.display())]
    NothingAllowed {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("failed to look at '{}': {source}", path.display())]
    Io {
        /// What was looked at.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn show(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> EntryPointError {
    move |source| EntryPointError::Io { path: path.to_owned(), source }
}

/// The file to run in a checkout: the one that is named, else the first `main.py`, nearest to the top.
pub fn in_checkout(root: &Path, named: Option<&EntryPoint>) -> Result<PathBuf, EntryPointError> {
    match named {
        Some(entry_point) => find_named(root, entry_point),
        None => find_default(root),
    }
}

fn find_named(root: &Path, entry_point: &EntryPoint) -> Result<PathBuf, EntryPointError> {
    let wanted = || entry_point.to_string();
    let mut path = root.to_owned();
    let mut is_file = false;
    for part in entry_point.parts() {
        path.push(part);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(EntryPointError::NotFound { wanted: wanted() });
            }
            Err(error) => return Err(io_error(&path)(error)),
        };
        if metadata.is_symlink() {
            return Err(EntryPointError::IsLink { wanted: wanted(), link: below(root, &path) });
        }
        is_file = metadata.is_file();
    }
    if is_file { Ok(path) } else { Err(EntryPointError::NotAFile { wanted: wanted() }) }
}

fn find_default(root: &Path) -> Result<PathBuf, EntryPointError> {
    let wanted = || DEFAULT_NAME.to_owned();
    let mut folders = VecDeque::from([root.to_owned()]);
    let mut looked_at = 0;
    while let Some(folder) = folders.pop_front() {
        let mut entries = fs::read_dir(&folder)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
                    .collect::<io::Result<Vec<_>>>()
            })
            .map_err(io_error(&folder))?;
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        looked_at += entries.len();
        for (path, kind) in &entries {
            if path.file_name().is_some_and(|name| name == DEFAULT_NAME) {
                if kind.is_symlink() {
                    return Err(EntryPointError::IsLink { wanted: wanted(), link: below(root, path) });
                } else if kind.is_file() {
                    return Ok(path.clone());
                }
            }
        }
        if looked_at > SEARCH_LIMIT {
            return Err(EntryPointError::TooManyFiles { wanted: wanted() });
        }
        folders.extend(
            entries.into_iter().filter(|(path, kind)| kind.is_dir() && !is_git_folder(path)).map(|(path, _)| path),
        );
    }
    Err(EntryPointError::NotFound { wanted: wanted() })
}

fn is_git_folder(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case(".git"))
}

fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The file to run at a path of this machine. With an empty list of allowed paths everything is allowed.
///
/// Links are followed before the comparison, and the result is the path without links: what was compared is what runs.
pub fn at_path(path: &Path, allowed: &[PathBuf]) -> Result<PathBuf, EntryPointError> {
    if !path.is_absolute() {
        return Err(EntryPointError::NotAbsolute { path: path.to_owned() });
    }
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // Whether something exists outside the allowed paths is nobody's business.
            ensure_allowed(path, path, allowed)?;
            return Err(EntryPointError::NoSuchPath { path: path.to_owned() });
        }
        Err(error) => return Err(io_error(path)(error)),
    };
    ensure_allowed(path, &real, allowed)?;
    if !real.is_file() {
        return Err(EntryPointError::NotAFile { wanted: path.display().to_string() });
    }
    // Windows writes real paths in a form that many programs do not take.
    Ok(if cfg!(windows) { path.to_owned() } else { real })
}

/// Refuses a path whose real place is not under one of the allowed ones, unless there are none.
pub(crate) fn ensure_allowed(given: &Path, real: &Path, allowed: &[PathBuf]) -> Result<(), EntryPointError> {
    let is_above = |folder: &PathBuf| {
        real.starts_with(folder) || fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder))
    };
    // Steps upwards remain only in paths that do not exist; they could lead anywhere.
    let has_steps_up = real.components().any(|part| part == std::path::Component::ParentDir);
    if allowed.is_empty() || (!has_steps_up && allowed.iter().any(is_above)) {
        Ok(())
    } else {
        Err(EntryPointError::NotAllowed { path: given.to_owned(), allowed: allowed.to_vec() })
    }
}

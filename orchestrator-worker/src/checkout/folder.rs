//! The folders of checkouts.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use orchestrator_core::id::JobId;
use orchestrator_core::lease::LeaseToken;
use tokio::time::sleep;

use super::CheckoutError;

/// How often the removal of a folder is tried.
const REMOVE_ATTEMPTS: u32 = 8;
/// The first pause between two tries; it doubles.
const REMOVE_PAUSE: Duration = Duration::from_millis(20);
/// The length of a UUID's text.
const UUID_LENGTH: usize = 36;

/// The name of a job's folder.
pub(super) fn name(job: JobId, token: LeaseToken) -> String {
    format!("{job}-{token}")
}

fn parse_name(name: &str) -> Option<(JobId, LeaseToken)> {
    let (job, token) = name.split_at_checked(UUID_LENGTH)?;
    Some((job.parse().ok()?, LeaseToken::new(token.strip_prefix('-')?.parse().ok()?)))
}

pub(super) fn failed<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> CheckoutError + 'a {
    move |source| CheckoutError::Folder { verb, path: path.to_owned(), source }
}

/// Makes a folder for its owner only.
pub(super) fn create(folder: &Path) -> Result<(), CheckoutError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed("create", folder))
}

/// Removes a folder and everything in it, or the file that stands in its place; one that is not there is no error.
pub(super) async fn remove(folder: &Path) -> Result<(), CheckoutError> {
    let mut pause = REMOVE_PAUSE;
    for attempt in 1.. {
        let path = folder.to_owned();
        let outcome = tokio::task::spawn_blocking(move || remove_now(&path)).await;
        match outcome.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => break,
            Err(error) if attempt == REMOVE_ATTEMPTS => return Err(failed("remove", folder)(error)),
            Err(_) => sleep(pause).await,
        }
        pause *= 2;
    }
    Ok(())
}

fn remove_now(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(folder),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(folder);
            Err(error)
        }
        outcome => outcome,
    }
}

/// Robots may leave folders that their owner cannot write to. Links are not followed.
#[cfg(unix)]
fn make_writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What fails here shows when the removal is tried again.
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
    }
}

#[cfg(not(unix))]
fn make_writable(_folder: &Path) {}

/// Removes the folders of jobs that are not in `living`; anything else in `root` is left alone.
pub(super) async fn remove_leftovers(
    root: &Path,
    living: &HashSet<(JobId, LeaseToken)>,
) -> Result<usize, CheckoutError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed("list", root)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(failed("list", root))?;
        let owner = entry.file_name().to_str().and_then(parse_name);
        if owner.is_some_and(|owner| !living.contains(&owner)) {
            remove(&entry.path()).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_its_job_and_grant() {
        let owner = (JobId::generate(), LeaseToken::new(17));
        assert_eq!(parse_name(&name(owner.0, owner.1)), Some(owner));
        for other in ["", "no-hooks", "important", &format!("{}", owner.0), &format!("{}-x", owner.0)] {
            assert_eq!(parse_name(other), None);
        }
    }
}

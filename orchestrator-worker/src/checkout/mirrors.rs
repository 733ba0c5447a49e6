//! Mirrors: bare repositories that keep what was fetched, so that the next job of the same repository fetches only what
//! is new, and nothing at all when nothing is.
//!
//! A mirror is a cache of objects and never an authority. What a branch or tag is, the repository itself is asked for each
//! job; the mirror is then looked up by that object's id. So moved and deleted branches, moved tags and rewritten
//! histories need no care here. What was fetched whole has a reference `refs/kept/<id>`; a fetch that was killed leaves
//! none, and is repeated.
//!
//! A mirror that gives trouble is made anew beside the old one, which goes only when the new one stands. Checkouts are
//! copies that know nothing of the mirror.
//!
//! The agent's folder belongs to one process (its lock ends with the process), so locks in memory are enough: jobs that
//! find what they need read beside each other, and one that fetches has the mirror for itself. Git's own lock files found
//! then were left by a git that was killed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orchestrator_core::clock::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::RwLock;

use super::folder;
use super::git::{Git, Place, Reach};
use super::remote::Tip;
use super::{CheckoutError, Mirroring};

/// How many tips a mirror keeps before it is made anew: each leaves a pack, and old ones are of no use.
const MAX_KEPT: usize = 64;
/// The file with the time of a mirror's last use.
const USED_FILE: &str = "used";
/// Where a mirror is made anew.
const FRESH_EXTENSION: &str = "fresh";

/// The mirrors of a worker.
#[derive(Debug)]
pub(super) struct Mirrors {
    options: Mirroring,
    locks: Mutex<HashMap<PathBuf, Arc<RwLock<()>>>>,
}

impl Mirrors {
    pub(super) fn new(options: Mirroring) -> Self {
        Self { options, locks: Mutex::default() }
    }

    /// Fills the folder of a checkout from the mirror of its repository. Returns the commit, and whether the mirror grew.
    pub(super) async fn check_out(
        &self,
        git: &Git<'_>,
        tip: &Tip,
        target: &Path,
    ) -> Result<(String, bool), CheckoutError> {
        let mirror = self.of(&git.remote.url);
        let reading = git.wait_for(mirror.lock.read()).await?;
        if mirror.holds(tip)
            && let Some(commit) = mirror.serve(git, tip, target).await?
        {
            return Ok((commit, false));
        }
        drop(reading);
        let writing = git.wait_for(mirror.lock.write()).await?;
        // Another job may have fetched meanwhile what this one waited for.
        let fetched = if mirror.holds(tip) { tip.clone() } else { mirror.fetch(git, tip).await? };
        let reading = writing.downgrade();
        if let Some(commit) = mirror.serve(git, &fetched, target).await? {
            return Ok((commit, true));
        }
        drop(reading);
        let _writing = git.wait_for(mirror.lock.write()).await?;
        let fetched = mirror.renew(git, tip).await?;
        mirror.copy(git, &fetched, target).await.map(|commit| (commit, true))
    }

    fn of(&self, url: &str) -> Mirror {
        let digest: [u8; 32] = Sha256::digest(url.as_bytes()).into();
        let name = digest.iter().take(16).fold(0, |name: u128, byte| name << 8 | u128::from(*byte));
        let folder = self.options.root.join(format!("{name:032x}"));
        let lock = self.lock_of(&folder);
        Mirror { folder, lock }
    }

    fn lock_of(&self, folder: &Path) -> Arc<RwLock<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(folder.to_owned()).or_default())
    }

    /// Removes mirrors that were not used for long, and the longest unused ones while all together are too large. Those in
    /// use stay. Returns how many it removed.
    pub(super) async fn prune(&self, now: Timestamp) -> Result<usize, CheckoutError> {
        let root = self.options.root.clone();
        let listing = tokio::task::spawn_blocking(move || list(&root)).await;
        let mut mirrors = listing
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(folder::failed("list", &self.options.root))?;
        mirrors.sort_by_key(|mirror| mirror.used);
        let mut total: u64 = mirrors.iter().map(|mirror| mirror.bytes).sum();
        let mut removed = 0;
        for mirror in mirrors {
            let age = mirror.used.map(|used| now.signed_duration_since(used).to_std().unwrap_or(Duration::ZERO));
            let is_old = age.is_none_or(|age| age > self.options.max_age);
            if !is_old && total <= self.options.max_bytes {
                continue;
            }
            let owner = mirror.folder.with_extension("");
            if let Ok(_writing) = self.lock_of(&owner).try_write() {
                folder::remove(&mirror.folder).await?;
                tracing::info!(folder = %mirror.folder.display(), bytes = mirror.bytes, "removed the mirror of a repository");
                total -= mirror.bytes;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// The mirror of one repository; its methods are called by whoever holds its lock as they need.
struct Mirror {
    folder: PathBuf,
    lock: Arc<RwLock<()>>,
}

impl Mirror {
    fn holds(&self, tip: &Tip) -> bool {
        self.folder.join("refs/kept").join(&tip.object).is_file()
    }

    /// A copy, or none if the mirror could not give it.
    async fn serve(&self, git: &Git<'_>, tip: &Tip, target: &Path) -> Result<Option<String>, CheckoutError> {
        match self.copy(git, tip, target).await {
            Ok(commit) => Ok(Some(commit)),
            Err(error) if is_worth_another_try(&error) => {
                tracing::warn!(%error, mirror = %self.folder.display(), "the mirror does not give what it should hold");
                folder::remove(target).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn copy(&self, git: &Git<'_>, tip: &Tip, target: &Path) -> Result<String, CheckoutError> {
        self.mark_used(git.checkouts.clock.now());
        git.copy_from(&self.folder, tip, target).await
    }

    /// Fetches what is new.
    async fn fetch(&self, git: &Git<'_>, tip: &Tip) -> Result<Tip, CheckoutError> {
        let kept = fs::read_dir(self.folder.join("refs/kept")).map_or(0, Iterator::count);
        if !self.folder.join("HEAD").is_file() || kept >= MAX_KEPT {
            return self.renew(git, tip).await;
        }
        remove_lock_files(&self.folder);
        match git.fetch_into(&self.folder, tip).await {
            Err(error) if is_worth_another_try(&error) => {
                tracing::warn!(%error, mirror = %self.folder.display(), "the mirror could not be brought up to date");
                self.renew(git, tip).await
            }
            outcome => outcome,
        }
    }

    /// Makes the mirror anew. When that fails, the old one stays.
    async fn renew(&self, git: &Git<'_>, tip: &Tip) -> Result<Tip, CheckoutError> {
        let fresh = self.folder.with_extension(FRESH_EXTENSION);
        folder::remove(&fresh).await?;
        folder::create(&fresh)?;
        let outcome = async {
            git.init(&fresh, true, tip).await?;
            // For people who look at the folder.
            fs::write(fresh.join("description"), &git.remote.url).map_err(folder::failed("write to", &fresh))?;
            git.fetch_into(&fresh, tip).await
        };
        match outcome.await {
            Ok(tip) => {
                self.mark_used_in(&fresh, git.checkouts.clock.now());
                folder::remove(&self.folder).await?;
                fs::rename(&fresh, &self.folder).map_err(folder::failed("rename", &fresh))?;
                Ok(tip)
            }
            Err(error) => {
                folder::remove(&fresh).await?;
                Err(error)
            }
        }
    }

    fn mark_used(&self, now: Timestamp) {
        self.mark_used_in(&self.folder, now);
    }

    fn mark_used_in(&self, folder: &Path, now: Timestamp) {
        if let Err(error) = fs::write(folder.join(USED_FILE), now.to_rfc3339()) {
            tracing::warn!(%error, mirror = %self.folder.display(), "the use of a mirror could not be noted");
        }
    }
}

impl Git<'_> {
    /// Fetches a tip from the repository into a mirror, and keeps it.
    async fn fetch_into(&self, mirror: &Path, tip: &Tip) -> Result<Tip, CheckoutError> {
        let place = Place::Bare(mirror);
        self.fetch(place, Reach::Remote, &self.remote.url, &format!("+{}:refs/fetched", tip.name)).await?;
        // It may have moved since it was asked for.
        let found = self.run(place, Reach::Disk, &["rev-parse", "refs/fetched", "refs/fetched^{commit}"]).await?;
        let mut ids = found.lines().map(|id| id.trim().to_owned());
        let (object, commit) = (ids.next().unwrap_or_default(), ids.next().unwrap_or_default());
        self.run(place, Reach::Disk, &["update-ref", &format!("refs/kept/{object}"), &object]).await?;
        Ok(Tip { name: tip.name.clone(), object, commit })
    }
}

/// Whether a new mirror could do better.
fn is_worth_another_try(error: &CheckoutError) -> bool {
    matches!(error, CheckoutError::Git { .. } | CheckoutError::Folder { .. })
}

/// Removes what a git that was killed left: nobody else uses the mirror now.
fn remove_lock_files(mirror: &Path) {
    let mut folders = vec![mirror.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if name.ends_with(".lock") || name.starts_with("tmp_") || name.starts_with(".tmp-") {
                // What cannot be removed shows when git meets it.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// A mirror as pruning sees it.
struct Listed {
    folder: PathBuf,
    /// Absent for what is none, or was never finished.
    used: Option<Timestamp>,
    bytes: u64,
}

fn list(root: &Path) -> std::io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut mirrors = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let used = fs::read_to_string(folder.join(USED_FILE)).ok().and_then(|text| text.parse().ok());
        mirrors.push(Listed { bytes: size(&folder), used, folder });
    }
    Ok(mirrors)
}

fn size(folder: &Path) -> u64 {
    let mut folders = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

//! The repository of one checkout: as a shallow clone would make it, from a mirror or from the repository itself.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::git::{Git, Place, Reach};
use super::remote::Tip;
use super::{CheckoutError, folder};

impl Git<'_> {
    /// Makes a checkout from a mirror that holds the tip. The objects are copied, so that nothing the robot does to the
    /// checkout, and nothing that happens to the mirror, reaches the other.
    pub(super) async fn copy_from(&self, mirror: &Path, tip: &Tip, target: &Path) -> Result<String, CheckoutError> {
        let kept = format!("refs/kept/{}", tip.object);
        self.init(target, false, tip).await?;
        self.fetch(Place::Tree(target), Reach::Disk, mirror, &refspec(&kept, tip)).await?;
        self.switch_to(target, tip, &tip.commit).await?;
        Ok(tip.commit.clone())
    }

    /// Makes a checkout from the repository itself.
    pub(super) async fn copy_from_remote(&self, tip: &Tip, target: &Path) -> Result<String, CheckoutError> {
        let place = Place::Tree(target);
        self.init(target, false, tip).await?;
        self.fetch(place, Reach::Remote, &self.remote.url, &refspec(&tip.name, tip)).await?;
        // It may have moved since it was asked for.
        let commit = self.run(place, Reach::Disk, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"]).await?;
        let commit = commit.trim();
        self.switch_to(target, tip, commit).await?;
        Ok(commit.to_owned())
    }

    /// Makes an empty repository for objects like the tip's.
    pub(super) async fn init(&self, folder: &Path, bare: bool, tip: &Tip) -> Result<(), CheckoutError> {
        let format = if tip.object.len() == 64 { "sha256" } else { "sha1" };
        let mut args = vec!["init".into(), "--quiet".into(), "--template=".into()];
        args.push(format!("--object-format={format}").into());
        if bare {
            args.push("--bare".into());
        }
        args.extend(["--".into(), folder.as_os_str().to_owned()]);
        self.run(Place::Nowhere, Reach::Disk, &args).await?;
        if bare { Ok(()) } else { name_origin(folder, &self.remote.url, tip) }
    }

    /// Fetches one reference, without its history.
    pub(super) async fn fetch(
        &self,
        place: Place<'_>,
        reach: Reach,
        from: impl AsRef<std::ffi::OsStr>,
        refspec: &str,
    ) -> Result<(), CheckoutError> {
        let options = ["fetch", "--quiet", "--depth", "1", "--no-tags", "--no-recurse-submodules", "--"];
        let args: Vec<_> = options.iter().map(AsRef::as_ref).chain([from.as_ref(), refspec.as_ref()]).collect();
        self.run(place, reach, &args).await.map(drop)
    }

    /// Writes the files. Filters of the machine's git (large files) may need the repository's server.
    async fn switch_to(&self, target: &Path, tip: &Tip, commit: &str) -> Result<(), CheckoutError> {
        let place = Place::Tree(target);
        let args = match tip.branch() {
            Some(branch) => vec!["checkout", "--quiet", "--no-track", "-B", branch, commit, "--"],
            None => vec!["checkout", "--quiet", "--detach", commit, "--"],
        };
        self.run(place, Reach::Remote, &args).await.map(drop)
    }
}

fn refspec(from: &str, tip: &Tip) -> String {
    tip.local_name().map_or_else(|| from.to_owned(), |local| format!("+{from}:{local}"))
}

/// Sets up `origin` and the branch that follows it, as a clone does. The URL carries no credentials: robots can read it.
fn name_origin(folder: &Path, url: &str, tip: &Tip) -> Result<(), CheckoutError> {
    let mut text = format!("[remote \"origin\"]\n\turl = {}\n", quoted(url));
    if let Some(branch) = tip.branch() {
        let branch = quoted(branch);
        let follows = quoted(&format!("+{0}:{1}", tip.name, tip.local_name().unwrap_or_default()));
        let _ = write!(
            text,
            "\tfetch = {follows}\n[branch {branch}]\n\tremote = origin\n\tmerge = {}\n",
            quoted(&tip.name)
        );
    }
    let file = folder.join(".git/config");
    let outcome = OpenOptions::new().append(true).open(&file).and_then(|mut file| file.write_all(text.as_bytes()));
    outcome.map_err(folder::failed("write to", &file))
}

/// A value or a section's name for git's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! The repository that a job runs: where it is, and what its branch or tag is at this moment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use orchestrator_core::source::{GitCredentials, GitRef, GitUrl};

use super::git::{Git, Place, Reach, settings_in_environment};
use super::{CheckoutError, CheckoutOptions};
use crate::entry_point::{EntryPointError, ensure_allowed};

/// Answers git's question for user and password. Git runs it by `sh`, on Windows by its own.
const CREDENTIAL_HELPER: &str = "!f() { test \"$1\" = get && \
     printf 'username=%s\\npassword=%s\\n' \"$ORCHESTRATOR_GIT_USERNAME\" \"$ORCHESTRATOR_GIT_PASSWORD\"; }; f";

/// Where a repository is. Its secrets are kept apart from its URL: they travel to git in the environment.
pub(super) struct Remote {
    /// For git's command line; holds no credentials.
    pub(super) url: String,
    authority: String,
    credentials: Option<GitCredentials>,
}

impl Remote {
    /// A repository on this machine must lie in an allowed place; links are followed before that is decided, and git gets
    /// the path without them.
    pub(super) fn new(url: &GitUrl, options: &CheckoutOptions) -> Result<Self, CheckoutError> {
        let plain = match url.file_path() {
            Some(path) => resolve_path(url, Path::new(path), options)?,
            None => url.without_credentials(),
        };
        Ok(Self { url: plain, authority: url.authority(), credentials: url.credentials() })
    }

    /// What git needs to answer as the user that the URL names.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let Some(GitCredentials { username, password }) = &self.credentials else { return BTreeMap::new() };
        // Only for this host: what it redirects to gets nothing.
        let setting = |name: &str| format!("credential.{}.{name}", self.authority);
        let Some(password) = password else {
            // The machine's own credential helpers know the password.
            return settings_in_environment(&[(setting("username"), username.expose().to_owned())]);
        };
        let mut variables = settings_in_environment(&[
            // Nor do the machine's helpers get to store what the URL says.
            ("credential.helper".to_owned(), String::new()),
            (setting("helper"), CREDENTIAL_HELPER.to_owned()),
        ]);
        variables.insert("ORCHESTRATOR_GIT_USERNAME".into(), username.expose().into());
        variables.insert("ORCHESTRATOR_GIT_PASSWORD".into(), password.expose().into());
        variables
    }
}

fn resolve_path(url: &GitUrl, path: &Path, options: &CheckoutOptions) -> Result<String, CheckoutError> {
    let refused = |source| CheckoutError::NotAllowed { url: url.clone(), source };
    let allowed = options.allowed_paths.as_slice();
    if allowed.is_empty() && !options.open_file_urls {
        return Err(refused(EntryPointError::NothingAllowed { path: path.to_owned() }));
    }
    let Ok(real) = std::fs::canonicalize(path) else {
        ensure_allowed(path, path, allowed).map_err(refused)?;
        return Err(refused(EntryPointError::NoSuchPath { path: path.to_owned() }));
    };
    ensure_allowed(path, &real, allowed).map_err(refused)?;
    match real.to_str() {
        // Windows writes real paths in a form that git does not take.
        _ if cfg!(windows) => Ok(url.expose().to_owned()),
        // Git would decode percent forms.
        Some(real) if !real.contains('%') => Ok(format!("file://{real}")),
        _ => Err(refused(EntryPointError::NotAllowed { path: real, allowed: allowed.to_vec() })),
    }
}

/// What a branch or tag is, as the repository itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tip {
    /// Its full name, `refs/heads/…` or `refs/tags/…`; `HEAD` of a repository whose default is no branch.
    pub(super) name: String,
    /// What the name stands for: a commit, or an annotated tag.
    pub(super) object: String,
    /// The commit.
    pub(super) commit: String,
}

impl Tip {
    /// The branch, if it is one.
    pub(super) fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }

    /// The name that a clone gives it, if it has one of its own.
    pub(super) fn local_name(&self) -> Option<String> {
        match self.branch() {
            Some(branch) => Some(format!("refs/remotes/origin/{branch}")),
            None => self.name.starts_with("refs/tags/").then(|| self.name.clone()),
        }
    }
}

impl Git<'_> {
    /// Asks the repository what the branch or tag of the job is now.
    pub(super) async fn tip(&self) -> Result<Tip, CheckoutError> {
        let url = self.remote.url.as_str();
        let listing = match &self.request.git_ref {
            None => self.run(Place::Nowhere, Reach::Remote, &["ls-remote", "--symref", "--", url, "HEAD"]).await?,
            Some(name) => {
                let (branch, tag) = (format!("refs/heads/{name}"), format!("refs/tags/{name}"));
                let args = ["ls-remote", "--", url, &branch, &tag, &format!("{tag}^{{}}")];
                self.run(Place::Nowhere, Reach::Remote, &args).await?
            }
        };
        find_tip(&listing, self.request.git_ref.as_ref().map(GitRef::as_str)).ok_or_else(|| CheckoutError::NoSuchRef {
            url: self.request.url.clone(),
            git_ref: self.request.git_ref.clone(),
        })
    }
}

/// Finds a branch, else a tag of the name; without a name, the default branch.
fn find_tip(listing: &str, name: Option<&str>) -> Option<Tip> {
    let lines: Vec<(&str, &str)> = listing.lines().filter_map(|line| line.split_once('\t')).collect();
    let object = |name: &str| {
        let is_id = |text: &&str| text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        lines.iter().filter(|(_, listed)| *listed == name).map(|(object, _)| *object).find(is_id)
    };
    let tip = |name: &str, object: &str, commit: &str| Tip {
        name: name.to_owned(),
        object: object.to_owned(),
        commit: commit.to_owned(),
    };
    let Some(name) = name else {
        let head = object("HEAD")?;
        let branch = lines.iter().find_map(|(target, of)| target.strip_prefix("ref: ").filter(|_| *of == "HEAD"));
        // The name comes from the repository: what is none cannot be asked for.
        let is_branch = |name: &&str| name.strip_prefix("refs/heads/").is_some_and(|name| GitRef::parse(name).is_ok());
        let branch = branch.filter(is_branch);
        return Some(tip(branch.unwrap_or("HEAD"), head, head));
    };
    let (branch, tag) = (format!("refs/heads/{name}"), format!("refs/tags/{name}"));
    if let Some(commit) = object(&branch) {
        return Some(tip(&branch, commit, commit));
    }
    let tagged = object(&tag)?;
    Some(tip(&tag, tagged, object(&format!("{tag}^{{}}")).unwrap_or(tagged)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    #[rstest]
    #[case("ref: refs/heads/trunk\tHEAD\n1\tHEAD\n", None, Some(("refs/heads/trunk", ONE, ONE)))]
    #[case("1\tHEAD\n", None, Some(("HEAD", ONE, ONE)))]
    #[case("ref: refs/heads/--x:y\tHEAD\n1\tHEAD\n", None, Some(("HEAD", ONE, ONE)))]
    #[case("1\trefs/heads/a\n2\trefs/tags/a\n", Some("a"), Some(("refs/heads/a", ONE, ONE)))]
    #[case("1\trefs/tags/a\n2\trefs/tags/a^{}\n", Some("a"), Some(("refs/tags/a", ONE, TWO)))]
    #[case("1\trefs/tags/a\n", Some("a"), Some(("refs/tags/a", ONE, ONE)))]
    #[case("1\trefs/mirrors/refs/heads/a\n", Some("a"), None)]
    #[case("not an id\trefs/heads/a\n", Some("a"), None)]
    #[case("", None, None)]
    fn the_tip_is_read_from_what_the_repository_lists(
        #[case] listing: &str,
        #[case] name: Option<&str>,
        #[case] expected: Option<(&str, &str, &str)>,
    ) {
        let listing = listing.replace("1\t", &format!("{ONE}\t")).replace("2\t", &format!("{TWO}\t"));
        let tip = find_tip(&listing, name);
        assert_eq!(tip.as_ref().map(|tip| (&*tip.name, &*tip.object, &*tip.commit)), expected);
    }
}

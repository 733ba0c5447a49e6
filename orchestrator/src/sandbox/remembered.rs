//! The context by which commands find the sandbox: put into the user's file when it begins, and out of it when it ends.
//!
//! The user may have a context of this name, and other sandboxes. One whose server answers is left alone: the new sandbox is
//! then named after its port, and does not become the current one. What was replaced comes back at the end, unless someone
//! changed it meanwhile. Until then the sandbox's folder keeps it, so that a sandbox that was killed leaves nothing behind for longer
//! than until it starts again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tonic::transport::Uri;

use crate::context::{self, Context, ContextError, Contexts};
use crate::error::Result;
use crate::secret_file;

/// The name of the context that commands find the sandbox by.
const NAME: &str = "dev";

/// Where the sandbox's folder keeps what is to be put back. It may hold tokens.
const KEPT: &str = "context-before.json";

/// How long the server of another context may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A context that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its name.
    pub(crate) name: String,
    /// Whether commands use it by themselves.
    pub(crate) is_current: bool,
    written: Context,
    replaced: Option<Context>,
    current_before: Option<String>,
}

impl Remembered {
    /// Writes the context of the sandbox at this address, whose folder keeps what was there before. What it had kept of a time when
    /// it was killed is put back first.
    pub(crate) async fn write(url: &str, token: &str, folder: &Path) -> Result<Self> {
        if let Some(Err(error)) = Self::kept_in(folder).map(|left| left.put_back(folder)) {
            tracing::warn!(%error, "the context from before the sandbox was killed was not put back");
        }
        let path = context::path()?;
        let here = Context { url: url.to_owned(), token: token.to_owned(), ca_cert: None };
        let is_taken = match Contexts::load(&path)?.contexts.get(NAME) {
            Some(there) => !there.is_for(url) && answers(&there.url).await,
            None => false,
        };
        // What was written while the other server was asked stays.
        let mut contexts = Contexts::load(&path)?;
        let remembered = Self::add(&mut contexts, path, here, is_taken);
        remembered.keep_in(folder)?;
        contexts.save(&remembered.path)?;
        Ok(remembered)
    }

    /// What a sandbox that was killed did not put back. A file that is none says nothing.
    fn kept_in(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(KEPT)).ok()?).ok()
    }

    fn keep_in(&self, folder: &Path) -> Result<(), ContextError> {
        let path = folder.join(KEPT);
        let text = serde_json::to_string(self).map_err(|_| ContextError::Form { path: path.clone() })?;
        secret_file::replace(&path, &text).map_err(|source| ContextError::File { path, source })
    }

    fn add(contexts: &mut Contexts, path: PathBuf, here: Context, is_taken: bool) -> Self {
        let name = if is_taken { named_after_port(&here.url) } else { NAME.to_owned() };
        let current_before = contexts.current.clone();
        let replaced = contexts.contexts.insert(name.clone(), here.clone());
        if !is_taken {
            contexts.current = Some(name.clone());
        }
        // One of an earlier sandbox at this address leads nowhere when this one is gone.
        let replaced = replaced.filter(|replaced| !replaced.is_for(&here.url));
        let is_current = contexts.current.as_ref() == Some(&name);
        Self { path, name, is_current, written: here, replaced, current_before }
    }

    /// One that is the current one when it has the usual name.
    #[cfg(test)]
    pub(crate) fn of_tests(name: &str, was: Option<&str>) -> Self {
        let context = |url: &str| Context { url: url.to_owned(), token: String::new(), ca_cert: None };
        Self {
            path: PathBuf::from("contexts.toml"),
            name: name.to_owned(),
            is_current: name == NAME,
            written: context("http://127.0.0.1:8420"),
            replaced: was.map(context),
            current_before: None,
        }
    }

    /// Where the context led before, if it was another one's.
    pub(crate) fn was(&self) -> Option<&str> {
        self.replaced.as_ref().map(|replaced| replaced.url.as_str())
    }

    /// Puts back what was there before, and keeps it no longer in the sandbox's folder.
    pub(crate) fn put_back(&self, folder: &Path) -> Result<(), ContextError> {
        let mut contexts = Contexts::load(&self.path)?;
        if self.take_out(&mut contexts) {
            contexts.save(&self.path)?;
        }
        let path = folder.join(KEPT);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ContextError::File { path, source }),
            _ => Ok(()),
        }
    }

    /// Whether anything is different then: what someone wrote since stays.
    fn take_out(&self, contexts: &mut Contexts) -> bool {
        if contexts.contexts.get(&self.name) != Some(&self.written) {
            return false;
        }
        match &self.replaced {
            Some(replaced) => drop(contexts.contexts.insert(self.name.clone(), replaced.clone())),
            None => drop(contexts.contexts.remove(&self.name)),
        }
        if contexts.current.as_ref() == Some(&self.name) {
            let before = self.current_before.clone();
            contexts.current = before.filter(|name| contexts.contexts.contains_key(name));
        }
        true
    }
}

fn named_after_port(url: &str) -> String {
    let port = url.parse::<Uri>().ok().and_then(|url| url.port_u16());
    port.map_or_else(|| NAME.to_owned(), |port| format!("{NAME}-{port}"))
}

/// Whether something listens at this address.
async fn answers(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let Some(host) = url.host() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = if url.scheme_str() == Some("https") { 443 } else { 80 };
    let port = url.port_u16().unwrap_or(usual);
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(port: u16) -> Context {
        Context { url: format!("http://127.0.0.1:{port}"), token: format!("token-{port}"), ca_cert: None }
    }

    fn add(contexts: &mut Contexts, port: u16, is_taken: bool) -> Remembered {
        Remembered::add(contexts, PathBuf::from("contexts.toml"), context(port), is_taken)
    }

    fn with(names: &[(&str, u16)], current: Option<&str>) -> Contexts {
        let contexts = names.iter().map(|(name, port)| ((*name).to_owned(), context(*port))).collect();
        Contexts { contexts, current: current.map(str::to_owned) }
    }

    #[test]
    fn a_sandbox_leaves_the_file_as_it_found_it() {
        for before in [
            Contexts::default(),
            with(&[("work", 1)], Some("work")),
            with(&[("work", 1), ("dev", 2)], Some("work")),
            with(&[("dev", 2)], Some("dev")),
        ] {
            let mut contexts = before.clone();
            let remembered = add(&mut contexts, 8420, false);
            assert_eq!((contexts.current.as_deref(), contexts.current()), (Some("dev"), Some(&context(8420))));
            assert_eq!(remembered.was().is_some(), before.contexts.contains_key("dev"));
            assert!(remembered.take_out(&mut contexts));
            assert_eq!(contexts, before);
        }
    }

    #[test]
    fn what_an_earlier_sandbox_left_at_this_address_does_not_come_back() {
        let mut contexts = with(&[("dev", 8420)], Some("dev"));
        let remembered = add(&mut contexts, 8420, false);
        assert_eq!(remembered.was(), None);
        assert!(remembered.take_out(&mut contexts));
        assert_eq!(contexts, Contexts::default());
    }

    #[test]
    fn one_beside_another_that_runs_is_named_after_its_port() {
        let mut contexts = with(&[("dev", 8420)], Some("dev"));
        let second = add(&mut contexts, 18420, true);
        assert_eq!((second.name.as_str(), second.is_current), ("dev-18420", false));
        assert_eq!(contexts.current(), Some(&context(8420)));
        assert!(second.take_out(&mut contexts));
        assert_eq!(contexts, with(&[("dev", 8420)], Some("dev")));
    }

    #[test]
    fn what_a_killed_sandbox_had_replaced_is_put_back_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.toml");
        let before = with(&[("work", 1), ("dev", 2)], Some("work"));
        let mut contexts = before.clone();
        let remembered = Remembered::add(&mut contexts, path.clone(), context(8420), false);
        remembered.keep_in(folder.path()).unwrap();
        contexts.save(&path).unwrap();
        // Here it is killed.
        let left = Remembered::kept_in(folder.path()).unwrap();
        left.put_back(folder.path()).unwrap();
        assert_eq!(Contexts::load(&path).unwrap(), before);
        assert_eq!(Remembered::kept_in(folder.path()), None, "once");
    }

    #[test]
    fn what_someone_wrote_meanwhile_stays() {
        let mut contexts = with(&[("dev", 2)], Some("dev"));
        let remembered = add(&mut contexts, 8420, false);
        contexts.contexts.insert("dev".to_owned(), context(3));
        assert!(!remembered.take_out(&mut contexts));
        assert_eq!(contexts, with(&[("dev", 3)], Some("dev")));

        let mut contexts = with(&[("work", 1)], Some("work"));
        let remembered = add(&mut contexts, 8420, false);
        contexts.current = Some("work".to_owned());
        contexts.contexts.insert("new".to_owned(), context(4));
        assert!(remembered.take_out(&mut contexts));
        assert_eq!(contexts, with(&[("work", 1), ("new", 4)], Some("work")));
    }
}

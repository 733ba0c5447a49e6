//! The context file: which servers this user works with, and the token for each. `dev` writes it; commands read it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::closest;
use crate::secret_file;

/// Names another file than the one in the user's configuration folder.
pub const FILE_VARIABLE: &str = "ORCHESTRATOR_CONTEXT_FILE";

/// All contexts of a user.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one that commands use by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// By name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// One server and how to sign in to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Such as `http://127.0.0.1:8420`.
    pub url: String,
    /// The secret.
    pub token: String,
    /// Certificates to trust beside those of the system, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
}

impl Context {
    /// Whether it is about the server at this address.
    pub fn is_for(&self, url: &str) -> bool {
        self.url.trim_end_matches('/') == url.trim_end_matches('/')
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("url", &self.url).field("ca_cert", &self.ca_cert).finish_non_exhaustive()
    }
}

/// The context file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// Neither of the variables that lead to it is set.
    #[error("there is no folder for the context file: neither {FILE_VARIABLE} nor HOME is set")]
    NoFolder,
    /// It cannot be read or written.
    #[error("the context file {} cannot be used: {source}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no context file. What stands in it is not shown: it may be a token.
    #[error("the context file {} is not valid; delete it, or name another with {FILE_VARIABLE}", path.display())]
    Form {
        /// Where it is.
        path: PathBuf,
    },
    /// There is no context of that name.
    #[error("there is no context \"{name}\"")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// Someone else may read the tokens in it.
    #[error("the context file {} can be read by others; close it: chmod 600 {}", path.display(), path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
    },
}

/// Where the context file is: `$ORCHESTRATOR_CONTEXT_FILE`, or `orchestrator/contexts.toml` in the user's
/// configuration folder.
pub fn path() -> Result<PathBuf, ContextError> {
    path_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn path_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, ContextError> {
    if let Some(path) = variable(FILE_VARIABLE) {
        return Ok(path);
    }
    let folder = if cfg!(windows) {
        variable("APPDATA")
    } else {
        variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")))
    };
    Ok(folder.ok_or(ContextError::NoFolder)?.join("orchestrator").join("contexts.toml"))
}

impl Contexts {
    /// Reads the file; there are no contexts when there is no file.
    pub fn load(path: &Path) -> Result<Self, ContextError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ContextError::File { path: path.to_owned(), source }),
        };
        if secret_file::is_open_to_others(path) {
            return Err(ContextError::Open { path: path.to_owned() });
        }
        toml::from_str(&text).map_err(|_| ContextError::Form { path: path.to_owned() })
    }

    /// Writes the file (0600), and makes its folder where there is none.
    pub fn save(&self, path: &Path) -> Result<(), ContextError> {
        let failed = |source| ContextError::File { path: path.to_owned(), source };
        let text = toml::to_string(self).map_err(|_| ContextError::Form { path: path.to_owned() })?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            secret_file::create_folder(folder).map_err(failed)?;
        }
        secret_file::replace(path, &text).map_err(failed)
    }

    /// Adds or replaces a context and makes it the current one.
    pub fn make_current(&mut self, name: &str, context: Context) {
        self.contexts.insert(name.to_owned(), context);
        self.current = Some(name.to_owned());
    }

    /// The current context.
    pub fn current(&self) -> Option<&Context> {
        self.contexts.get(self.current.as_ref()?)
    }

    /// The context of this name.
    pub fn named(&self, name: &str) -> Result<&Context, ContextError> {
        self.contexts.get(name).ok_or_else(|| {
            let suggestion = closest(name, self.contexts.keys().map(String::as_str)).map(str::to_owned);
            ContextError::Unknown { name: name.to_owned(), suggestion }
        })
    }

    /// The context for an address: a token is never sent to another server than the one it is for.
    pub fn for_url(&self, url: &str) -> Option<&Context> {
        self.current()
            .filter(|context| context.is_for(url))
            .or_else(|| self.contexts.values().find(|context| context.is_for(url)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(url: &str) -> Context {
        Context { url: url.to_owned(), token: format!("token of {url}"), ca_cert: None }
    }

    #[test]
    fn contexts_survive_the_file_and_only_the_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/contexts.toml");
        assert_eq!(Contexts::load(&path).unwrap(), Contexts::default());
        let mut contexts = Contexts::default();
        contexts.make_current("dev", context("http://127.0.0.1:8420"));
        contexts.save(&path).unwrap();
        assert_eq!(Contexts::load(&path).unwrap(), contexts);
        assert!(!secret_file::is_open_to_others(&path));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Contexts::load(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_broken_file_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.toml");
        secret_file::create(&path, "token = orc_user_hunter2").unwrap();
        let error = Contexts::load(&path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_token_belongs_to_its_own_address() {
        let mut contexts = Contexts::default();
        contexts.make_current("a", context("http://a:1"));
        contexts.make_current("b", context("http://b:1/"));
        assert_eq!(contexts.for_url("http://a:1/").map(|c| c.token.as_str()), Some("token of http://a:1"));
        assert_eq!(contexts.for_url("http://c:1"), None);
        assert_eq!(contexts.current().map(|c| c.url.as_str()), Some("http://b:1/"));
    }

    #[cfg(not(windows))]
    #[test]
    fn the_file_is_in_the_users_configuration_folder() {
        let from = |set: &'static [(&str, &str)]| {
            path_from(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| PathBuf::from(value)))
        };
        assert_eq!(from(&[("HOME", "/u")]).unwrap(), Path::new("/u/.config/orchestrator/contexts.toml"));
        assert_eq!(
            from(&[("HOME", "/u"), ("XDG_CONFIG_HOME", "/x")]).unwrap(),
            Path::new("/x/orchestrator/contexts.toml")
        );
        assert_eq!(from(&[(FILE_VARIABLE, "/f")]).unwrap(), Path::new("/f"));
        assert!(matches!(from(&[]), Err(ContextError::NoFolder)));
    }

    #[test]
    fn debug_shows_no_token() {
        assert!(!format!("{:?}", context("http://a")).contains("token of"));
    }
}

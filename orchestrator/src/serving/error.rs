use std::io;
use std::path::PathBuf;

use orchestrator_core::chain::Chain;
use orchestrator_core::secret::{DecryptError, EncryptError, KeyFileError, RandomError};
use orchestrator_db::{ConnectError, DbError};
use orchestrator_grpc::{ServeError, TlsError};

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServingError {
    /// A folder or file cannot be used.
    #[error("could not {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There is no key file.
    #[error("there is no key file {}", path.display())]
    NoKey { path: PathBuf },
    /// Someone else may read the key file.
    #[error("the key file {} can be read by others", path.display())]
    OpenKey { path: PathBuf },
    /// The key file is no key file.
    #[error("the key file {} cannot be used", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: KeyFileError,
    },
    /// The key file does not belong to this database.
    #[error("the key file {} does not fit this database: its passwords were encrypted with another key", path.display())]
    WrongKey {
        path: PathBuf,
        #[source]
        source: DecryptError,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// A statement at start failed.
    #[error(transparent)]
    Statement(#[from] DbError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The check value could not be encrypted.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// The port cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl ServingError {
    /// What happened below, down to the system's own words.
    pub(crate) fn why(&self) -> Option<String> {
        std::error::Error::source(self).map(|cause| Chain(cause).to_string())
    }

    /// What to type next.
    pub(crate) fn next(&self) -> Option<String> {
        match self {
            Self::NoKey { path } => Some(format!(
                "for a new database make one: orchestrator key generate {}; else put your copy of its key there: another key \
                 reads none of its passwords",
                path.display()
            )),
            Self::OpenKey { path } => Some(format!("close it: chmod 600 {}", path.display())),
            Self::WrongKey { .. } => {
                Some("start the server with the key file that it was set up with (--key-file)".to_owned())
            }
            Self::Database(ConnectError::NotMigrated) => Some("orchestrator db migrate".to_owned()),
            Self::Serve(ServeError::Tls(TlsError::File { .. })) => Some(
                "name PEM files that the server's user can read: server.tls_cert and server.tls_key; what a certificate says: \
                 orchestrator cert show FILE"
                    .to_owned(),
            ),
            Self::Serve(ServeError::Tls(TlsError::Unusable(_))) => {
                Some("name the key that was made with the certificate: server.tls_cert and server.tls_key".to_owned())
            }
            Self::Serve(ServeError::Bind { .. }) => {
                Some("is another server running? Else name an address of this machine: server.listen".to_owned())
            }
            _ => None,
        }
    }

    /// The program's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoKey { .. } | Self::OpenKey { .. } | Self::Key { .. } | Self::Serve(ServeError::Tls(_)) => 2,
            Self::WrongKey { .. } | Self::Database(ConnectError::InUse { .. } | ConnectError::TooNew { .. }) => 5,
            Self::Database(ConnectError::Unreachable(_)) => 6,
            _ => 1,
        }
    }

    /// The stable code that is shown in brackets.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "FILE",
            Self::NoKey { .. } => "NO_KEY",
            Self::OpenKey { .. } => "OPEN_KEY",
            Self::Key { .. } => "BAD_KEY",
            Self::WrongKey { .. } => "WRONG_KEY",
            Self::Database(error) => match error {
                ConnectError::InUse { .. } => "DATABASE_IN_USE",
                ConnectError::TooNew { .. } => "DATABASE_TOO_NEW",
                ConnectError::WeakDurability { .. } => "WEAK_DURABILITY",
                ConnectError::Encoding { .. } => "DATABASE_ENCODING",
                ConnectError::NotMigrated => "NOT_MIGRATED",
                _ => "DATABASE",
            },
            Self::Statement(_) => "DATABASE",
            Self::Random(_) | Self::Encrypt(_) => "LOCAL",
            Self::Serve(ServeError::Tls(_)) => "TLS_FILES",
            Self::Serve(_) => "LISTEN",
        }
    }
}

//! What the server did not take, for people: one JSON object a line.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::record::{Entry, Head};

/// The file of one job.
#[derive(Debug)]
pub(crate) struct Refused {
    path: PathBuf,
}

impl Refused {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a call, and why it was refused; on disk when this returns.
    pub(crate) fn add(&self, head: &Head, entry: &Entry, request: &Value, why: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let at = entry.at.and_then(|at| {
            chrono::DateTime::<chrono::Utc>::from_timestamp(at.seconds, u32::try_from(at.nanos).unwrap_or(0))
        });
        let line = json!({
            "job": head.job_id,
            "process": head.process_name,
            "written_at": at,
            "method": entry.method,
            "request": request,
            "refused": why,
        });
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    }
}

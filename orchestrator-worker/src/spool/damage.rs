//! What the disk has lost of a spool file: it stands before what can be read, so that its robot was promised it.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::id::LogId;

use super::record::{DamagedRecords, Head, Record};

/// Records that cannot be read, to be announced on the job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Damage {
    /// How many.
    pub(crate) count: u64,
    /// The id of the line that tells of them.
    pub(crate) id: String,
    /// When the entry before them was written.
    pub(crate) since: Option<prost_types::Timestamp>,
}

/// The damage to one file: what was found, and what is still to be announced.
#[derive(Debug, Default)]
pub(super) struct Damages {
    /// Records passed over so far.
    passed: u64,
    /// Their bytes.
    bytes: u64,
    /// Of these, how many an earlier look has noted in the file.
    noted: u64,
    /// Records behind all that can be read, which do not stay in the file.
    cut: u64,
    /// When the entry before the first that is not noted was written.
    since: Option<prost_types::Timestamp>,
    owed: Option<Damage>,
}

impl Damages {
    /// Records were passed over, behind an entry of this time.
    pub(super) fn pass(&mut self, records: u64, bytes: u64, since: Option<prost_types::Timestamp>) {
        if records > 0 && self.passed == self.noted {
            self.since = since;
        }
        self.passed += records;
        self.bytes += bytes;
    }

    /// Nothing can be read behind an entry of this time, and what stood there goes.
    pub(super) fn cut(&mut self, records: u64, bytes: u64, since: Option<prost_types::Timestamp>) {
        if records == 0 {
            return;
        }
        if self.passed == self.noted {
            self.since = since;
        }
        self.cut += records;
        self.bytes += bytes;
    }

    /// Takes a record of a file that is read.
    pub(super) fn take(&mut self, record: DamagedRecords) {
        let DamagedRecords { count, id, since, noted } = record;
        self.noted = noted;
        self.owed = (count > 0).then_some(Damage { count, id, since });
    }

    /// What is to be written down, when something was found that is not yet.
    pub(super) fn note(&mut self) -> Option<Record> {
        let found = self.passed.saturating_sub(self.noted) + std::mem::take(&mut self.cut);
        if found == 0 {
            return None;
        }
        let before = self.owed.take();
        let since = before.as_ref().map_or(self.since, |before| before.since);
        let count = before.map_or(0, |before| before.count) + found;
        self.noted = self.passed;
        self.owed = Some(Damage { count, id: LogId::generate().to_string(), since });
        Some(self.record())
    }

    /// What is to be announced.
    pub(super) fn owed(&self) -> Option<&Damage> {
        self.owed.as_ref()
    }

    /// It was announced.
    pub(super) fn announced(&mut self) {
        self.owed = None;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn record(&self) -> Record {
        let owed = self.owed.clone().unwrap_or(Damage { count: 0, id: String::new(), since: None });
        Record::Damaged(DamagedRecords { count: owed.count, id: owed.id, since: owed.since, noted: self.noted })
    }
}

/// Where a damaged file is kept as it was found.
pub(super) fn copy_of(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

/// Keeps a file as it is, before anything of it goes.
pub(super) fn keep(path: &Path, bytes: u64, head: &Head) {
    let copy = copy_of(path);
    let kept = copied(path, &copy);
    tracing::error!(
        job.id = head.job_id, bytes, copy = %copy.display(), error = kept.err().map(tracing::field::display),
        "the disk has damaged what the robot of a job had written; what can be read is delivered, and the file kept as it is"
    );
}

/// Copies a file. A copy that is there is whole, and on disk.
fn copied(path: &Path, copy: &Path) -> io::Result<()> {
    let part = path.with_extension("damaged-part");
    let whole = std::fs::copy(path, &part)
        .and_then(|_| OpenOptions::new().write(true).open(&part)?.sync_all())
        .and_then(|()| std::fs::rename(&part, copy));
    if whole.is_err() {
        // On a full disk it must not take the room that is left.
        let _ = std::fs::remove_file(&part);
    }
    whole
}

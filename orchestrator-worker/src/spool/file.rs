//! The spool file of one job.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::LogId;
use orchestrator_proto::convert;
use tokio::sync::{Mutex, watch};

use super::budget::Budget;
use super::damage::{Damage, Damages, copy_of, keep};
use super::gap::Gap;
use super::record::{Entry, Found, Head, LostLines, Record, framed, next};

/// Why something could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// There is no room.
    #[error("the {whose} spool is full: its limit is {limit} bytes")]
    Full {
        /// The job's or the worker's.
        whose: &'static str,
        /// Bytes.
        limit: u64,
    },
    /// The disk did not take it.
    #[error("the worker's disk did not take it: {0}")]
    Disk(#[from] io::Error),
}

/// Lines that had no room, to be announced.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lost {
    /// How many.
    pub(crate) count: u64,
    /// The id of the line that tells of them.
    pub(crate) id: String,
    /// When the first of them was written.
    pub(crate) since: Option<prost_types::Timestamp>,
}

/// Where an entry stands in the file.
#[derive(Debug, Clone, Copy)]
struct Slot {
    seq: u64,
    at: u64,
    bytes: u64,
}

#[derive(Debug)]
struct State {
    /// Behind the last whole record.
    end: u64,
    /// Behind the head.
    head_end: u64,
    next_seq: u64,
    /// When the last entry that could be read was written.
    last_at: Option<prost_types::Timestamp>,
    /// Records passed over since that entry; nothing before the first, whose number may be any.
    passed: Option<u64>,
    waiting: VecDeque<Slot>,
    lost: Option<Lost>,
    damages: Damages,
}

/// The file, and what waits in it.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    path: PathBuf,
    file: Arc<File>,
    budget: Budget,
    job_limit: u64,
    state: Mutex<State>,
    /// How many things wait.
    waiting: watch::Sender<usize>,
}

impl SpoolFile {
    /// Makes the file of a job, and returns once it is on disk.
    pub(super) async fn create(path: PathBuf, head: Head, budget: Budget, job_limit: u64) -> io::Result<Self> {
        let bytes = framed(Record::Head(head));
        let head_end = bytes.len() as u64;
        let file = Arc::new(create(&path)?);
        write(&file, 0, bytes).await?;
        sync_folder(&path)?;
        budget.charge(head_end);
        let state = State::behind(head_end);
        Ok(Self { path, file, budget, job_limit, state: Mutex::new(state), waiting: watch::channel(0).0 })
    }

    /// Reads a file that an earlier agent left. `None` when not even its head is whole: no robot was ever answered then.
    pub(super) fn open(path: PathBuf, budget: Budget, job_limit: u64) -> io::Result<Option<(Head, Self)>> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut reader = BufReader::new(&file);
        let Found::Whole(Record::Head(head), head_end) = next(&mut reader)? else { return Ok(None) };
        let mut state = State::behind(head_end);
        let mut is_torn = false;
        loop {
            match next(&mut reader)? {
                Found::Whole(record, bytes) => state.take(record, bytes),
                Found::End => break,
                Found::Damaged | Found::Torn => {
                    let gap = Gap::behind(&file, state.end)?;
                    is_torn = gap.records == 0;
                    state.skip(gap);
                    if gap.is_last {
                        break;
                    }
                    reader.seek(SeekFrom::Start(gap.end))?;
                }
            }
        }
        let note = state.damages.note();
        if note.is_some() {
            keep(&path, state.damages.bytes(), &head);
        }
        if is_torn {
            // Nobody was answered for what is torn off.
            tracing::warn!(file = %path.display(), at_byte = state.end, "the end of a spool file was never written whole");
            file.set_len(state.end)?;
        }
        if let Some(note) = note {
            let frame = framed(note);
            write_now(&file, state.end, &frame)?;
            state.end += frame.len() as u64;
            // What cannot be read at the end goes only now that its loss is written down.
            file.set_len(state.end)?;
        }
        budget.charge(state.end);
        let waiting = watch::channel(state.count()).0;
        let file = Arc::new(file);
        Ok(Some((head, Self { path, file, budget, job_limit, state: Mutex::new(state), waiting })))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        *self.waiting.borrow() == 0
    }

    /// How many things wait.
    pub(crate) fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Waits until nothing waits.
    pub(crate) async fn until_empty(&self) {
        // The sender lives as long as this.
        let _ = self.waiting.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Keeps a call; returns once it is on disk.
    pub(crate) async fn append(&self, method: &str, message: bytes::Bytes, now: Timestamp) -> Result<(), AppendError> {
        let mut state = self.state.lock().await;
        let entry = Entry {
            seq: state.next_seq,
            method: method.to_owned(),
            message,
            id: LogId::generate().to_string(),
            at: Some(convert::timestamp(now)),
        };
        let frame = framed(Record::Entry(entry));
        let bytes = frame.len() as u64;
        if state.end + bytes > self.job_limit {
            return Err(AppendError::Full { whose: "job's", limit: self.job_limit });
        }
        if !self.budget.take(bytes) {
            return Err(AppendError::Full { whose: "worker's", limit: self.budget.limit() });
        }
        if let Err(error) = write(&self.file, state.end, frame).await {
            self.budget.give_back(bytes);
            // What was half written is written over, or noticed.
            let _ = self.file.set_len(state.end);
            return Err(error.into());
        }
        let slot = Slot { seq: state.next_seq, at: state.end, bytes };
        state.waiting.push_back(slot);
        state.next_seq += 1;
        state.end += bytes;
        self.tell(&state);
        Ok(())
    }

    /// Counts lines that had no room. Their number is on disk at least to its last doubling.
    pub(crate) async fn count_lost(&self, lines: u64, now: Timestamp) {
        let mut state = self.state.lock().await;
        let new = || Lost { count: 0, id: LogId::generate().to_string(), since: Some(convert::timestamp(now)) };
        let lost = state.lost.get_or_insert_with(new);
        let before = lost.count;
        lost.count += lines;
        let is_doubled = before == 0 || lost.count.ilog2() > before.ilog2();
        if is_doubled {
            let record = lost.record();
            if let Err(error) = self.add(&mut state, record).await {
                tracing::error!(%error, "how many log lines had no room is known in memory only");
            }
        }
        self.tell(&state);
    }

    /// What waits longest, up to so many bytes; at least one entry if there is any.
    pub(crate) async fn first(&self, most_bytes: u64) -> io::Result<Vec<Entry>> {
        // Held while it is read: reading and writing move the same handle.
        let state = self.state.lock().await;
        let mut bytes = 0;
        let fits = |slot: &&Slot| {
            let is_first = bytes == 0;
            bytes += slot.bytes;
            is_first || bytes <= most_bytes
        };
        let slots: Vec<Slot> = state.waiting.iter().take_while(fits).copied().collect();
        let file = self.file.clone();
        blocking(move || slots.into_iter().map(|slot| read(&file, slot)).collect()).await
    }

    /// What had no room, to be announced before the file is empty.
    pub(crate) async fn lost(&self) -> Option<Lost> {
        self.state.lock().await.lost.clone()
    }

    /// What the disk has damaged, to be announced before the file is empty.
    pub(crate) async fn damage(&self) -> Option<Damage> {
        self.state.lock().await.damages.owed().cloned()
    }

    /// Where the file is kept as it was found, if that succeeded.
    pub(crate) fn kept_damaged(&self) -> Option<PathBuf> {
        Some(copy_of(&self.path)).filter(|copy| copy.exists())
    }

    /// The damage was announced.
    pub(crate) async fn damage_announced(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        state.damages.announced();
        let record = state.damages.record();
        let settled = self.settle(&mut state, record).await;
        self.tell(&state);
        settled
    }

    /// The entries up to this number were delivered. An empty file is emptied.
    pub(crate) async fn delivered(&self, through: u64) -> io::Result<()> {
        let mut state = self.state.lock().await;
        state.waiting.retain(|slot| slot.seq > through);
        let settled = self.settle(&mut state, Record::Delivered(through)).await;
        self.tell(&state);
        settled
    }

    /// So many lost lines were announced.
    pub(crate) async fn announced(&self, announced: &Lost) -> io::Result<()> {
        let mut state = self.state.lock().await;
        let left = state.lost.as_ref().map_or(0, |lost| lost.count.saturating_sub(announced.count));
        // Those that came meanwhile get a line of their own.
        state.lost =
            (left > 0).then(|| Lost { count: left, id: LogId::generate().to_string(), since: announced.since });
        let record = state.lost.as_ref().map_or(Record::Lost(LostLines::default()), Lost::record);
        let settled = self.settle(&mut state, record).await;
        self.tell(&state);
        settled
    }

    /// Nothing of it is needed any more.
    pub(crate) async fn remove(&self) {
        let mut state = self.state.lock().await;
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                self.budget.give_back(state.end);
                state.end = 0;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "an empty spool file could not be removed");
            }
        }
    }

    /// Forgets what is done: by a record, or by making the file as short as it was.
    async fn settle(&self, state: &mut State, record: Record) -> io::Result<()> {
        if state.count() > 0 {
            return self.add(state, record).await;
        }
        let (file, head_end) = (self.file.clone(), state.head_end);
        blocking(move || file.set_len(head_end)).await?;
        self.budget.give_back(state.end.saturating_sub(head_end));
        state.end = head_end;
        Ok(())
    }

    /// Adds a record that is not counted against the limits: there is little of it, and it makes room.
    async fn add(&self, state: &mut State, record: Record) -> io::Result<()> {
        let frame = framed(record);
        let bytes = frame.len() as u64;
        write(&self.file, state.end, frame).await?;
        self.budget.charge(bytes);
        state.end += bytes;
        Ok(())
    }

    fn tell(&self, state: &State) {
        self.waiting.send_replace(state.count());
    }
}

impl Lost {
    fn record(&self) -> Record {
        Record::Lost(LostLines { count: self.count, id: self.id.clone(), since: self.since })
    }
}

impl State {
    /// Of a file that holds its head.
    fn behind(head_end: u64) -> Self {
        let (waiting, damages) = (VecDeque::new(), Damages::default());
        Self { end: head_end, head_end, next_seq: 1, last_at: None, passed: None, waiting, lost: None, damages }
    }

    fn count(&self) -> usize {
        self.waiting.len() + usize::from(self.lost.is_some()) + usize::from(self.damages.owed().is_some())
    }

    /// Passes over what cannot be read; what stands at the end does not count as the file's.
    fn skip(&mut self, gap: Gap) {
        let bytes = gap.end - self.end;
        if gap.is_last {
            self.damages.cut(gap.records, bytes, self.last_at);
            return;
        }
        self.damages.pass(gap.records, bytes, self.last_at);
        if let Some(passed) = &mut self.passed {
            *passed += gap.records;
        }
        self.end = gap.end;
    }

    /// Takes a record of a file that is read.
    fn take(&mut self, record: Record, bytes: u64) {
        match record {
            Record::Head(_) => {}
            Record::Entry(entry) => {
                // Where lengths are damaged the numbers of the entries tell better how many are missing.
                let missing = entry.seq.saturating_sub(self.next_seq);
                if let Some(more) = self.passed.and_then(|passed| missing.checked_sub(passed)) {
                    self.damages.pass(more, 0, self.last_at);
                }
                (self.passed, self.last_at) = (Some(0), entry.at);
                self.waiting.push_back(Slot { seq: entry.seq, at: self.end, bytes });
                self.next_seq = entry.seq + 1;
            }
            Record::Delivered(through) => self.waiting.retain(|slot| slot.seq > through),
            Record::Damaged(damaged) => self.damages.take(damaged),
            Record::Lost(LostLines { count: 0, .. }) => self.lost = None,
            Record::Lost(LostLines { count, id, since }) => self.lost = Some(Lost { count, id, since }),
        }
        self.end += bytes;
    }
}

/// Makes a file that only its owner can read: it holds what robots wrote, and the token to deliver it with.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Windows has no handle on folders that could be synced.
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

async fn write(file: &Arc<File>, at: u64, bytes: Vec<u8>) -> io::Result<()> {
    let file = file.clone();
    blocking(move || write_now(&file, at, &bytes)).await
}

fn write_now(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn read(mut file: &File, slot: Slot) -> io::Result<Entry> {
    file.seek(SeekFrom::Start(slot.at))?;
    match next(&mut file.take(slot.bytes))? {
        Found::Whole(Record::Entry(entry), _) if entry.seq == slot.seq => Ok(entry),
        _ => Err(io::Error::other(format!("entry {} of a spool file has changed on the disk", slot.seq))),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

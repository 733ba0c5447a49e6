//! What changed, in the few words that pages need: "the jobs", never which.
//!
//! A page that hears a tick asks again for what it shows, with its own filters. So the server keeps nothing per page, and
//! a tick that was lost is healed by the next one. Per topic at most one tick in [`QUIET`] is sent: the first at once.
//!
//! A page is drawn before it listens, and a browser looks away and comes back. So each page carries a [`Seen`], and
//! whoever begins to listen is told at once what changed since.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orchestrator_db::Hint;
use orchestrator_scheduler::ElementChanges;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The least time between two ticks of a topic.
const QUIET: Duration = Duration::from_millis(250);

/// What pages show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Triggers: what they are, their status, their next run.
    Triggers,
    /// Jobs: their state or their output.
    Jobs,
    /// Queues and their elements.
    Queues,
    /// Workers.
    Workers,
    /// Log lines.
    Logs,
    /// Constants and credentials, tokens, users and sessions.
    Access,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 6] = [Self::Triggers, Self::Jobs, Self::Queues, Self::Workers, Self::Logs, Self::Access];

    /// Its name, as browsers hear it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triggers => "triggers",
            Self::Jobs => "jobs",
            Self::Queues => "queues",
            Self::Workers => "workers",
            Self::Logs => "logs",
            Self::Access => "access",
        }
    }

    /// The topics of a hint.
    fn of(hint: &Hint) -> &'static [Self] {
        match hint {
            Hint::Triggers => &[Self::Triggers],
            Hint::Jobs | Hint::Job { .. } => &[Self::Jobs],
            Hint::Queue { .. } | Hint::Reopened { .. } | Hint::Elements => &[Self::Queues],
            Hint::Worker { .. } => &[Self::Workers],
            Hint::Logs => &[Self::Logs],
            Hint::Tokens | Hint::Access => &[Self::Access],
        }
    }
}

/// Up to which change of each topic somebody has seen everything. Another server, and the same one after a restart,
/// counts anew: to it everything has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Who counted.
    server: Uuid,
    changes: [u64; Topic::ALL.len()],
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.server.simple())?;
        self.changes.iter().try_for_each(|count| write!(f, ".{count}"))
    }
}

/// A text that was never a [`Seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not what a server says that was seen")]
pub struct NotSeen;

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let mut parts = text.split('.');
        let server = parts.next().and_then(|part| Uuid::try_parse(part).ok()).ok_or(NotSeen)?;
        let mut changes = [0; Topic::ALL.len()];
        for count in &mut changes {
            *count = parts.next().and_then(|part| part.parse().ok()).ok_or(NotSeen)?;
        }
        if parts.next().is_some() { Err(NotSeen) } else { Ok(Self { server, changes }) }
    }
}

/// Hands ticks to whoever listens.
#[derive(Debug, Clone)]
pub struct Ticks {
    sender: broadcast::Sender<Topic>,
    server: Uuid,
    changes: Arc<[AtomicU64; Topic::ALL.len()]>,
}

impl Ticks {
    pub(crate) fn new() -> Self {
        // A page that is this far behind asks for everything anyway.
        let (sender, _) = broadcast::channel(64);
        Self { sender, server: Uuid::new_v4(), changes: Arc::default() }
    }

    /// What someone has seen who looks from now on.
    pub fn seen(&self) -> Seen {
        Seen { server: self.server, changes: std::array::from_fn(|at| self.changes[at].load(Ordering::Acquire)) }
    }

    /// What changed since. Listen first, then ask, and no change is missed.
    pub fn since(&self, seen: &Seen) -> Vec<Topic> {
        let now = self.seen();
        let changed = |topic: &Topic| now.changes[*topic as usize] != seen.changes[*topic as usize];
        Topic::ALL.into_iter().filter(|topic| now.server != seen.server || changed(topic)).collect()
    }

    /// What someone has seen who looks at one more topic now.
    pub fn looked_at(&self, seen: Option<&Seen>, topic: Topic) -> Seen {
        // Of what another server counted nothing is known; no count ever gets this high.
        let nothing = Seen { server: self.server, changes: [u64::MAX; Topic::ALL.len()] };
        let mut seen = seen.filter(|seen| seen.server == self.server).copied().unwrap_or(nothing);
        seen.changes[topic as usize] = self.seen().changes[topic as usize];
        seen
    }

    fn count(&self, topic: Topic) {
        self.changes[topic as usize].fetch_add(1, Ordering::AcqRel);
    }

    /// Hears every tick from now on. Whoever lags has missed some and looks at everything.
    pub fn subscribe(&self) -> broadcast::Receiver<Topic> {
        self.sender.subscribe()
    }

    /// Turns hints into ticks until the server stops.
    pub(crate) async fn run(
        &self,
        mut hints: broadcast::Receiver<Hint>,
        elements: Arc<ElementChanges>,
        stop: CancellationToken,
    ) {
        let mut quiet = Quiet::default();
        // Whoever listened before may have left without it.
        elements.take();
        loop {
            let due = quiet.next_due();
            tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => match hint {
                    Ok(hint) => self.note(&mut quiet, Topic::of(&hint)),
                    Err(RecvError::Lagged(_)) => self.note(&mut quiet, &Topic::ALL),
                    Err(RecvError::Closed) => return,
                },
                () = elements.heard() => self.note(&mut quiet, &[Topic::Queues]),
                () = at(due) => {}
            }
            for topic in quiet.take_due(Instant::now()) {
                if topic == Topic::Queues {
                    // Elements that changed since they were heard of were not counted.
                    elements.take();
                    self.count(topic);
                }
                // Nobody listening is fine.
                let _ = self.sender.send(topic);
            }
        }
    }

    fn note(&self, quiet: &mut Quiet, topics: &[Topic]) {
        for topic in topics {
            self.count(*topic);
            quiet.note(*topic);
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Which topics wait for their quiet time to pass.
#[derive(Debug, Default)]
struct Quiet {
    topics: [Waiting; Topic::ALL.len()],
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    is_marked: bool,
    not_before: Option<Instant>,
}

impl Quiet {
    fn note(&mut self, topic: Topic) {
        if let Some(waiting) = self.topics.get_mut(topic as usize) {
            waiting.is_marked = true;
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.topics.iter().filter(|waiting| waiting.is_marked).filter_map(|waiting| waiting.not_before).min()
    }

    fn take_due(&mut self, now: Instant) -> Vec<Topic> {
        let mut due = Vec::new();
        for (topic, waiting) in Topic::ALL.into_iter().zip(&mut self.topics) {
            if waiting.is_marked && waiting.not_before.is_none_or(|not_before| not_before <= now) {
                *waiting = Waiting { is_marked: false, not_before: Some(now + QUIET) };
                due.push(topic);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_change_is_told_at_once_and_many_more_as_one() {
        let ticks = Ticks::new();
        let mut heard = ticks.subscribe();
        let (hints, receiver) = broadcast::channel(64);
        let stop = CancellationToken::new();
        let began = Instant::now();
        let talk = async {
            for _ in 0..30 {
                hints.send(Hint::Logs).unwrap();
            }
            assert_eq!(heard.recv().await.unwrap(), Topic::Logs);
            assert!(began.elapsed() < Duration::from_millis(50));
            hints.send(Hint::Logs).unwrap();
            hints.send(Hint::Logs).unwrap();
            hints.send(Hint::Tokens).unwrap();
            assert_eq!(heard.recv().await.unwrap(), Topic::Access);
            assert_eq!(heard.recv().await.unwrap(), Topic::Logs);
            assert!(began.elapsed() >= QUIET);
            tokio::time::sleep(QUIET * 4).await;
            assert!(heard.try_recv().is_err(), "what was told is not told again");
            stop.cancel();
        };
        tokio::join!(ticks.run(receiver, Arc::default(), stop.clone()), talk);
    }

    #[tokio::test]
    async fn whoever_begins_to_listen_is_told_what_changed_since_they_looked() {
        let ticks = Ticks::new();
        let (hints, receiver) = broadcast::channel(64);
        let before = ticks.seen();
        hints.send(Hint::Access).unwrap();
        hints.send(Hint::Elements).unwrap();
        drop(hints);
        ticks.run(receiver, Arc::default(), CancellationToken::new()).await;
        assert_eq!(ticks.since(&before), [Topic::Queues, Topic::Access]);
        assert_eq!(ticks.since(&ticks.seen()), []);
    }

    #[tokio::test(start_paused = true)]
    async fn elements_that_change_all_the_time_are_told_of_now_and_then_and_the_last_change_too() {
        let ticks = Ticks::new();
        let mut heard = ticks.subscribe();
        let (_hints, receiver) = broadcast::channel(64);
        let (elements, stop) = (Arc::new(ElementChanges::default()), CancellationToken::new());
        let talk = async {
            elements.tell();
            assert_eq!(heard.recv().await.unwrap(), Topic::Queues);
            let (began, shown) = (Instant::now(), ticks.seen());
            elements.tell();
            tokio::time::sleep(QUIET / 2).await;
            let drawn = ticks.seen();
            elements.tell();
            assert_eq!(heard.recv().await.unwrap(), Topic::Queues);
            assert!(began.elapsed() >= QUIET);
            assert_eq!((ticks.since(&shown), ticks.since(&drawn)), (vec![Topic::Queues], vec![Topic::Queues]));
            tokio::time::sleep(QUIET * 4).await;
            assert!(heard.try_recv().is_err(), "what was told is not told again");
            stop.cancel();
        };
        tokio::join!(ticks.run(receiver, elements.clone(), stop.clone()), talk);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_listens_next_hears_of_elements_that_change() {
        let ticks = Ticks::new();
        let mut heard = ticks.subscribe();
        let (_hints, receiver) = broadcast::channel(64);
        let (elements, stop) = (Arc::new(ElementChanges::default()), CancellationToken::new());
        elements.tell();
        elements.heard().await;
        let talk = async {
            tokio::task::yield_now().await;
            elements.tell();
            assert_eq!(tokio::time::timeout(QUIET, heard.recv()).await.unwrap().unwrap(), Topic::Queues);
            stop.cancel();
        };
        tokio::join!(ticks.run(receiver, elements.clone(), stop.clone()), talk);
    }

    #[test]
    fn to_another_server_everything_changed() {
        let (here, elsewhere) = (Ticks::new(), Ticks::new().seen());
        assert_eq!(here.since(&elsewhere), Topic::ALL);
        let seen = here.looked_at(Some(&elsewhere), Topic::Jobs);
        assert!(!here.since(&seen).contains(&Topic::Jobs), "it was looked at");
        assert_eq!(here.since(&seen).len(), Topic::ALL.len() - 1, "the others were not");
    }

    #[test]
    fn what_was_seen_survives_an_address() {
        let seen = Ticks::new().seen();
        assert_eq!(seen.to_string().parse(), Ok(seen));
        let (server, more) = (seen.server.simple().to_string(), format!("{seen}.0"));
        for text in ["", "x", "0.0.0.0.0.0.0", server.as_str(), more.as_str(), "a.b"] {
            assert_eq!(text.parse::<Seen>(), Err(NotSeen), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_missed_hints_looks_at_everything() {
        let ticks = Ticks::new();
        let mut heard = ticks.subscribe();
        let (hints, receiver) = broadcast::channel(1);
        for _ in 0..3 {
            hints.send(Hint::Logs).unwrap();
        }
        drop(hints);
        ticks.run(receiver, Arc::default(), CancellationToken::new()).await;
        let mut topics = Vec::new();
        while let Ok(topic) = heard.try_recv() {
            topics.push(topic);
        }
        assert_eq!(topics, Topic::ALL);
    }
}

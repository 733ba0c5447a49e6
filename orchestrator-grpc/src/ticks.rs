//! What changed, in the few words that pages need: "the jobs", never which.
//!
//! A page that hears a tick asks again for what it shows, with its own filters. So the server keeps nothing per page, and
//! a tick that was lost is healed by the next one. Per topic at most one tick in [`QUIET`] is sent: the first at once.

use std::time::Duration;

use orchestrator_db::Hint;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
    /// Tokens, users and sessions.
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
            Hint::Queue { .. } | Hint::Reopened { .. } => &[Self::Queues],
            Hint::Worker { .. } => &[Self::Workers],
            Hint::Logs => &[Self::Logs],
            Hint::Tokens => &[Self::Access],
        }
    }
}

/// Hands ticks to whoever listens.
#[derive(Debug, Clone)]
pub struct Ticks {
    sender: broadcast::Sender<Topic>,
}

impl Ticks {
    pub(crate) fn new() -> Self {
        // A page that is this far behind asks for everything anyway.
        let (sender, _) = broadcast::channel(64);
        Self { sender }
    }

    /// Hears every tick from now on. Whoever lags has missed some and looks at everything.
    pub fn subscribe(&self) -> broadcast::Receiver<Topic> {
        self.sender.subscribe()
    }

    /// Turns hints into ticks until the server stops.
    pub(crate) async fn run(&self, mut hints: broadcast::Receiver<Hint>, stop: CancellationToken) {
        let mut quiet = Quiet::default();
        loop {
            let due = quiet.next_due();
            tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => match hint {
                    Ok(hint) => Topic::of(&hint).iter().for_each(|topic| quiet.note(*topic)),
                    Err(RecvError::Lagged(_)) => Topic::ALL.iter().for_each(|topic| quiet.note(*topic)),
                    Err(RecvError::Closed) => return,
                },
                () = at(due) => {}
            }
            for topic in quiet.take_due(Instant::now()) {
                // Nobody listening is fine.
                let _ = self.sender.send(topic);
            }
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
        tokio::join!(ticks.run(receiver, stop.clone()), talk);
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
        ticks.run(receiver, CancellationToken::new()).await;
        let mut topics = Vec::new();
        while let Ok(topic) = heard.try_recv() {
            topics.push(topic);
        }
        assert_eq!(topics, Topic::ALL);
    }
}

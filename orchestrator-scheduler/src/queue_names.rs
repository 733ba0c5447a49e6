//! Which queue is meant by a name: robots' spelling of one differs in case and trailing blanks.
//!
//! What was found is remembered for a while, so that calls about a queue that is known cost no statement. What is not known
//! is looked up each time: the queue may come into being under another spelling at any moment. The first creation of a
//! queue settles its spelling on this server before it is written, so that of two at once both go to one queue. Two servers
//! may still make two; then each name means its own queue, as of names that differ otherwise.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_core::same_name;
use orchestrator_core::text::QueueName;
use orchestrator_db::DbError;
use tokio::time::Instant;

use crate::scheduler::Scheduler;

/// How long a queue is taken to be there still.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The most names that are remembered.
const MOST: usize = 10_000;

/// What a call wants of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueUse {
    /// It looks for elements; one that is not there has none.
    Look,
    /// It brings the queue into being, where there is none.
    Make,
}

/// What is remembered of names.
#[derive(Debug, Default)]
pub(crate) struct QueueNames {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The queue that is meant, by the name as it was asked for.
    meant: HashMap<String, Remembered>,
    /// What a queue that is being made is called, by the key of its name.
    made: HashMap<String, Remembered>,
}

#[derive(Debug, Clone)]
struct Remembered {
    name: String,
    since: Instant,
}

impl Remembered {
    fn now(name: &str) -> Self {
        Self { name: name.to_owned(), since: Instant::now() }
    }

    fn name(&self) -> Option<&str> {
        (self.since.elapsed() < REMEMBERED).then_some(self.name.as_str())
    }
}

impl QueueNames {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue that is known to be meant. When that was looked up a while ago, one caller is to look again; the others go
    /// on with what is known.
    fn known(&self, asked: &QueueName) -> Option<QueueName> {
        let mut known = self.lock();
        let remembered = known.meant.get_mut(asked.as_str())?;
        if remembered.name().is_none() {
            remembered.since = Instant::now();
            return None;
        }
        let name = &remembered.name;
        Some(if name == asked.as_str() { asked.clone() } else { QueueName::from_stored(name.to_owned()) })
    }

    fn found(&self, asked: &QueueName, name: String) -> QueueName {
        self.lock().remember(asked.as_str(), &name);
        QueueName::from_stored(name)
    }

    /// There is no such queue, as far as anything is committed.
    fn missing(&self, asked: QueueName, wanted: QueueUse) -> QueueName {
        let mut known = self.lock();
        known.meant.remove(asked.as_str());
        let key = same_name::key(asked.as_str());
        let made = known.made.get(&key).and_then(Remembered::name).map(str::to_owned);
        if wanted == QueueUse::Look {
            return made.map_or(asked, QueueName::from_stored);
        }
        let name = made.unwrap_or_else(|| asked.as_str().to_owned());
        if known.made.len() >= MOST {
            known.made.clear();
        }
        // Until it is there each call looks for it: the one that is to make it may fail, and another server may make one.
        known.made.insert(key, Remembered::now(&name));
        QueueName::from_stored(name)
    }

    fn forget_all(&self) {
        *self.lock() = Known::default();
    }
}

impl Known {
    fn remember(&mut self, asked: &str, name: &str) {
        if self.meant.len() >= MOST {
            self.meant.clear();
        }
        self.meant.insert(asked.to_owned(), Remembered::now(name));
    }
}

impl Scheduler {
    /// The queue that is meant by a name: the one that has it, or else the only one whose name differs in case and trailing
    /// blanks only. A name that fits several is refused; one that fits none is that of a queue to be.
    pub async fn queue_meant(&self, asked: QueueName, wanted: QueueUse) -> Result<QueueName, DbError> {
        match self.queue_names().known(&asked) {
            Some(name) => Ok(name),
            None => Box::pin(self.look_up_queue(asked, wanted)).await,
        }
    }

    async fn look_up_queue(&self, asked: QueueName, wanted: QueueUse) -> Result<QueueName, DbError> {
        let names = self.db().begin_read().await?.queue_names().await?;
        match DbError::meant_of("queue", asked.as_str(), names) {
            Ok(name) => Ok(self.queue_names().found(&asked, name)),
            Err(DbError::NotFound { .. }) => Ok(self.queue_names().missing(asked, wanted)),
            Err(error) => {
                self.queue_names().lock().meant.remove(asked.as_str());
                Err(error)
            }
        }
    }

    /// Looks names up anew: a queue was deleted.
    pub fn forget_queue_names(&self) {
        self.queue_names().forget_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> QueueName {
        QueueName::parse(text).unwrap()
    }

    #[test]
    fn of_two_that_make_a_queue_at_once_the_first_names_it() {
        let names = QueueNames::default();
        assert_eq!(names.missing(name("CaseQ"), QueueUse::Look), name("CaseQ"));
        assert_eq!(names.missing(name("CaseQ"), QueueUse::Make), name("CaseQ"));
        assert_eq!(names.missing(name("caseq"), QueueUse::Make), name("CaseQ"));
        assert_eq!(names.missing(name("CASEQ "), QueueUse::Look), name("CaseQ"));
    }

    #[test]
    fn what_is_known_is_not_looked_up_and_what_is_missing_is() {
        let names = QueueNames::default();
        assert_eq!(names.missing(name("caseq"), QueueUse::Look), name("caseq"));
        assert_eq!(names.known(&name("caseq")), None, "it may come into being at any moment");
        names.found(&name("caseq"), "CaseQ".to_owned());
        assert_eq!(names.known(&name("caseq")), Some(name("CaseQ")));
        names.forget_all();
        assert_eq!(names.known(&name("caseq")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_looked_up_a_minute_ago_is_looked_up_by_one_caller() {
        let names = QueueNames::default();
        names.found(&name("caseq"), "CaseQ".to_owned());
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(names.known(&name("caseq")), None);
        assert_eq!(names.known(&name("caseq")), Some(name("CaseQ")), "the others need not wait");
        names.missing(name("caseq"), QueueUse::Look);
        assert_eq!(names.known(&name("caseq")), None, "it is gone");
    }

    #[test]
    fn what_was_to_be_made_is_not_known_before_it_is_there() {
        let names = QueueNames::default();
        names.missing(name("CaseQ"), QueueUse::Make);
        assert_eq!(names.known(&name("CaseQ")), None, "it may fail, and another server may make one");
    }
}

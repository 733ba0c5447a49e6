use std::sync::Arc;

use orchestrator_core::clock::Timestamp;

use super::waiting::Weight;
use crate::connect::{Db, LaneLine};
use crate::error::DbError;
use crate::hint::Hint;
use crate::tx::Tx;

/// Something that one kind of call does, for many calls at once.
pub(super) trait Work: Send + Sync + 'static {
    /// What a caller asks for.
    type Call: Clone + Send + Sync + 'static;
    /// What it is told, refusals that concern it alone among it.
    type Answer: Send + 'static;

    /// Whose turn a call takes: its queue, or who makes it.
    fn key(call: &Self::Call) -> String;

    /// What it weighs.
    fn weight(call: &Self::Call) -> Weight;

    /// Makes it a call that was made before, where such calls are looked up.
    fn mark_as_repeat(_call: &mut Self::Call) {}

    /// Looks at what a call was answered that turned out to be made before.
    fn answered_as_repeat(_call: &Self::Call, _answer: &mut Self::Answer) {}

    /// Does what all of the calls ask for, in one transaction; one answer a call, in their order. An error undoes all of it,
    /// and the calls are then made one by one: whatever fails for a call's own sake alone had better be its answer.
    fn run(
        &self,
        tx: &mut Tx,
        calls: &[Self::Call],
        now: Timestamp,
    ) -> impl Future<Output = Result<Done<Self::Answer>, DbError>> + Send;

    /// Does what calls ask for in one statement that is its own transaction, where that can be: callers are answered a
    /// round trip later for every other statement. Nothing was done for those calls that have no answer; an error when that
    /// is not known.
    fn run_at_once(
        &self,
        _db: &Db,
        _line: &LaneLine,
        _calls: &[Self::Call],
        _now: Timestamp,
    ) -> impl Future<Output = Result<DoneAtOnce<Self::Answer>, DbError>> + Send {
        std::future::ready(Ok(DoneAtOnce::nothing()))
    }
}

/// What was done for some calls.
#[derive(Debug)]
pub(super) struct Done<A> {
    pub(super) answers: Vec<A>,
    /// What all servers are told.
    pub(super) hints: Vec<Hint>,
    /// What only this server is told.
    pub(super) here: Vec<Hint>,
}

/// What one statement did for some of several calls.
#[derive(Debug)]
pub(super) struct DoneAtOnce<A> {
    /// One a call, in their order; empty when nothing was done for any.
    pub(super) answers: Vec<Option<A>>,
    /// What only this server is told.
    pub(super) here: Vec<Hint>,
}

impl<A> DoneAtOnce<A> {
    pub(super) fn nothing() -> Self {
        Self { answers: Vec::new(), here: Vec::new() }
    }
}

/// Why a lane did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// Too many calls wait already.
    #[error("{lane}: {waiting} calls wait already")]
    Full {
        /// Which lane.
        lane: &'static str,
        /// How many calls, or how many bytes of them, may wait.
        waiting: usize,
    },
    /// The lane broke down, and what became of the call is unknown.
    #[error("{lane}: the call was lost inside the server")]
    Gone {
        /// Which lane.
        lane: &'static str,
    },
    /// The storage failed, for this call or for all that shared its transaction.
    #[error(transparent)]
    Db(#[from] Arc<DbError>),
}

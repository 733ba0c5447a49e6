//! Group commit: calls that arrive while a transaction is in flight share the next one.
//!
//! There is one lane a kind of call, with a connection of its own on PostgreSQL; on SQLite all lanes share the one writer.
//! Claims of many elements at once have lanes apart from claims of few.
//! No lane ever waits for company: an idle one runs a single call in a transaction of its own at once. Every caller is
//! answered after the commit that made its answer true, and one call that fails never fails its neighbours: what failed
//! together is run again one by one.

mod audited;
mod creates;
mod elements;
mod lane;
mod leading;
mod logs;
mod options;
mod outputs;
mod waiting;
mod work;

use std::fmt;
use std::sync::Arc;

use orchestrator_core::clock::Clock;
use orchestrator_core::log::LogLine;
use tokio_util::task::TaskTracker;

pub use creates::{CreateCall, CreateError, Created};
pub use elements::{ElementAnswer, ElementCall};
pub use options::{Committed, LaneOptions};
pub use outputs::{AppendError, OutputCall};
pub use work::LaneError;

use crate::connect::Db;
use crate::dialect::Dialect;
use crate::queue::ClaimRequest;
use creates::Creates;
use elements::Elements;
use lane::Lane;
use logs::Logs;
use options::LaneContext;
use outputs::Outputs;

/// The lanes of a server.
pub struct Lanes {
    claims: Lane<Elements>,
    /// For claims of many elements at once, which fill a transaction by themselves. Two on PostgreSQL, which works on both.
    claims_of_many: Vec<Lane<Elements>>,
    statuses: Lane<Elements>,
    creates: Lane<Creates>,
    logs: Lane<Logs>,
    outputs: Lane<Outputs>,
    tasks: TaskTracker,
}

/// So many elements of one claim are many.
const MANY: u32 = 50;

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}

impl Lanes {
    /// Lanes on a database. `committed` is told what changed, after each commit.
    pub fn new(db: &Db, clock: Arc<dyn Clock>, committed: Committed, options: LaneOptions) -> Self {
        let tasks = TaskTracker::new();
        let context = LaneContext { db: db.clone(), clock, committed, tasks: tasks.clone() };
        let of_many = match db.dialect() {
            // It has one writer, so what waits for it had better share a transaction.
            Dialect::Sqlite => ["claim-many"].as_slice(),
            Dialect::Postgres => ["claim-many", "claim-many-2"].as_slice(),
        };
        let of_many = of_many.iter().map(|name| Lane::new(name, Elements, context.clone(), options));
        Self {
            claims_of_many: of_many.collect(),
            claims: Lane::new("claim", Elements, context.clone(), options),
            statuses: Lane::new("status", Elements, context.clone(), options),
            creates: Lane::new("create", Creates, context.clone(), options),
            logs: Lane::new("log", Logs, context.clone(), options),
            outputs: Lane::new("output", Outputs, context, options),
            tasks,
        }
    }

    /// Sets statuses and then claims elements, in one transaction.
    pub async fn elements(&self, call: ElementCall) -> Result<ElementAnswer, LaneError> {
        match &call.claim {
            Some(claim) => self.lane_of(claim).call(call).await,
            None => self.statuses.call(call).await,
        }
    }

    /// The repetition of a claim takes the lane that the claim took, so it comes after it and finds what it was granted.
    fn lane_of(&self, claim: &ClaimRequest) -> &Lane<Elements> {
        if claim.count < MANY {
            return &self.claims;
        }
        let [.., last] = claim.request.as_uuid().into_bytes();
        &self.claims_of_many[usize::from(last) % self.claims_of_many.len()]
    }

    /// Creates elements, all of a call or none.
    pub async fn create(&self, call: CreateCall) -> Result<Result<Created, CreateError>, LaneError> {
        self.creates.call(call).await
    }

    /// Writes log lines. Those that are there already are skipped.
    pub async fn log(&self, lines: Vec<LogLine>) -> Result<(), LaneError> {
        self.logs.call(lines).await
    }

    /// Appends what a robot printed, where its job still takes it.
    pub async fn output(&self, call: OutputCall) -> Result<Result<(), AppendError>, LaneError> {
        self.outputs.call(call).await
    }

    /// How many calls wait for a transaction to begin.
    pub fn waiting(&self) -> usize {
        let of_many: usize = self.claims_of_many.iter().map(Lane::waiting).sum();
        let elements = self.claims.waiting() + self.statuses.waiting() + self.creates.waiting();
        of_many + elements + self.logs.waiting() + self.outputs.waiting()
    }

    /// Whether a transaction is in flight.
    pub fn is_busy(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Waits for what was begun, and gives the connections back.
    pub async fn close(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.claims.close().await;
        for lane in &self.claims_of_many {
            lane.close().await;
        }
        self.statuses.close().await;
        self.creates.close().await;
        self.logs.close().await;
        self.outputs.close().await;
    }
}

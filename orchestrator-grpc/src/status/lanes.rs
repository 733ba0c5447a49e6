//! What goes wrong with calls that share transactions.

use std::time::Duration;

use orchestrator_db::{CreateError, LaneError};
use tonic::{Code, Status};

use super::db::failed;
use super::{Refusal, internal, reason};

/// A call that was not made, or failed.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(status::lane)")]
pub(crate) fn lane(error: LaneError) -> Status {
    match &error {
        LaneError::Full { lane, waiting } => {
            let message = format!("the server has too much to do: {waiting} calls wait already; try again");
            Refusal::new(Code::ResourceExhausted, reason::OVERLOADED, message)
                .with("lane", lane)
                .with("limit", waiting)
                .retry_after(Duration::from_millis(200))
                .status()
        }
        LaneError::Gone { .. } => internal(&error),
        LaneError::Db(error) => failed(error),
    }
}

/// Elements that were not created.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(status::create)")]
pub(crate) fn create(error: CreateError) -> Status {
    match error {
        CreateError::Exists => Refusal::new(
            Code::AlreadyExists,
            reason::CONFLICT,
            "an element with one of these ids exists; to repeat a call whose answer was lost, set repeat",
        )
        .status(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orchestrator_db::DbError;
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_full_lane_says_that_the_same_call_may_succeed_soon() {
        let status = lane(LaneError::Full { lane: "claim", waiting: 10 });
        let details = status.get_error_details();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
        assert_eq!(details.error_info().unwrap().metadata["limit"], "10");
        assert!(details.retry_info().is_some());
    }

    #[test]
    fn a_shared_error_tells_each_caller_what_it_would_tell_one() {
        let status = lane(LaneError::Db(Arc::new(DbError::not_found("queue element", "7"))));
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "QUEUE_ELEMENT_NOT_FOUND");
    }
}

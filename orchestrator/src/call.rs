//! Calls that are worth a second try.

use std::time::Duration;

use orchestrator_core::id::RequestId;
use orchestrator_proto::v1 as pb;
use tonic::{Response, Status};

use crate::error::{Result, answer_was_lost};

/// Before the second try: long enough for a server to be back after a restart.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes a call, and once more when its answer was lost. `call` is told whether it is the repetition.
pub(crate) async fn repeatable<T>(mut call: impl AsyncFnMut(bool) -> Result<Response<T>, Status>) -> Result<T> {
    match call(false).await {
        Err(status) if answer_was_lost(&status) => {
            tokio::time::sleep(PAUSE).await;
            Ok(call(true).await?.into_inner())
        }
        other => Ok(other?.into_inner()),
    }
}

/// As [`repeatable`], for calls that are recognised by a request id of their own.
pub(crate) async fn with_request_id<T>(
    mut call: impl AsyncFnMut(pb::Call) -> Result<Response<T>, Status>,
) -> Result<T> {
    let request_id = RequestId::generate().to_string();
    repeatable(async |repeat| call(pb::Call { request_id: request_id.clone(), repeat }).await).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
        let mut seen = Vec::new();
        let answer = with_request_id(async |call| {
            seen.push((call.request_id, call.repeat));
            if call.repeat { Ok(Response::new(7)) } else { Err(Status::unavailable("gone")) }
        })
        .await
        .unwrap();
        assert_eq!(answer, 7);
        assert_eq!(seen[0].0, seen[1].0);
        assert_eq!((seen[0].1, seen[1].1, seen.len()), (false, true, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_only_once() {
        let mut count = 0;
        let result: Result<u8> = repeatable(async |_| {
            count += 1;
            Err(Status::cancelled("Timeout expired"))
        })
        .await;
        assert_eq!((result.unwrap_err().exit_code(), count), (6, 2));
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        let mut count = 0;
        let result: Result<u8> = repeatable(async |_| {
            count += 1;
            Err(Status::already_exists("there is one"))
        })
        .await;
        assert_eq!((result.unwrap_err().exit_code(), count), (5, 1));
    }
}

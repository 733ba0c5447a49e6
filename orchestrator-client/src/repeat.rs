//! Calls that are made again while nobody answers.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::Instant;
use tonic::Status;

use crate::{Error, Refusal};

/// What one try came to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No: the same call would be refused again.
    Refused(Refusal),
    /// The answer is missing, or says that the same call may succeed later.
    Away(String),
    /// The answer is none.
    Answer(String),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let is_timeout = status.code() == tonic::Code::Cancelled && status.message() == "Timeout expired";
        match status.code() {
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => Self::Away(words(&status)),
            _ if is_timeout => Self::Away(words(&status)),
            // The server was gone before it had said anything, or before it was asked.
            tonic::Code::Unknown | tonic::Code::Cancelled if std::error::Error::source(&status).is_some() => {
                Self::Away(words(&status))
            }
            // Full, for the moment.
            tonic::Code::ResourceExhausted if Refusal::from_status(&status).code == crate::Code::Overloaded => {
                Self::Away(words(&status))
            }
            _ => Self::Refused(Refusal::from_status(&status)),
        }
    }
}

fn words(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => crate::settings::deepest_cause(source),
        None => status.message().to_owned(),
    }
}

/// Makes a call until it is answered or `patience` ends. `call` is told whether it is a repetition of one whose answer may
/// only have been lost.
pub(crate) async fn until_answered<T, F>(
    url: &str,
    patience: Duration,
    mut call: impl FnMut(bool) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Failure>>,
{
    let until = Instant::now() + patience;
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_jitter()
        .without_max_times()
        .build();
    let mut is_repeat = false;
    loop {
        let why = match call(is_repeat).await {
            Ok(answer) => return Ok(answer),
            Err(Failure::Refused(refusal)) => return Err(Error::Refused(Box::new(refusal))),
            Err(Failure::Answer(what)) => return Err(Error::Answer { url: url.to_owned(), what }),
            Err(Failure::Away(why)) => why,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Away { url: url.to_owned(), patience_s: patience.as_secs(), why });
        }
        tracing::debug!(url, why, "a call is made again");
        // The last try is made when patience ends, however long the pause before it would be.
        tokio::time::sleep(pauses.next().unwrap_or(left).min(left)).await;
        is_repeat = true;
    }
}

/// The same for a call that removes something: what a repetition does not find, an earlier try has removed.
pub(crate) async fn until_removed<T, F>(url: &str, patience: Duration, mut call: impl FnMut() -> F) -> Result<T, Error>
where
    T: Default,
    F: Future<Output = Result<T, Failure>>,
{
    until_answered(url, patience, |is_repeat| {
        let call = call();
        async move {
            match call.await {
                Err(Failure::Refused(refusal)) if is_repeat && refusal.is_not_found() => Ok(T::default()),
                outcome => outcome,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_until_it_is_answered_and_says_so() {
        let mut seen = Vec::new();
        let answer = until_answered("x", Duration::from_mins(1), |is_repeat| {
            seen.push(is_repeat);
            let is_answered = seen.len() == 4;
            async move { if is_answered { Ok(7) } else { Err(Failure::from(Status::unavailable("gone"))) } }
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(seen, [false, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_the_last_words_are_told() {
        let start = Instant::now();
        let answer = until_answered("http://there", Duration::from_secs(10), |_| async {
            Err::<(), _>(Failure::from(Status::unavailable("gone fishing")))
        });
        let error = answer.await.unwrap_err();
        assert_eq!(error.to_string(), "http://there did not serve a call for 10 s: gone fishing");
        assert_eq!(start.elapsed().as_secs(), 10, "all of it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_repetition_does_not_find_was_removed_by_an_earlier_try() {
        let gone = || {
            let details = ErrorDetails::with_error_info("QUEUE_ELEMENT_NOT_FOUND", "orchestrator", []);
            Status::with_error_details(tonic::Code::NotFound, "it does not exist", details)
        };
        let mut answers = vec![gone(), Status::unavailable("gone")];
        let removed: Result<(), _> = until_removed("x", Duration::from_mins(1), || {
            let answer = answers.pop().unwrap_or_else(|| Status::internal("asked too often"));
            async move { Err(Failure::from(answer)) }
        })
        .await;
        assert!(removed.is_ok(), "{removed:?}");
        let first: Result<(), _> =
            until_removed("x", Duration::from_mins(1), || async { Err(Failure::from(gone())) }).await;
        assert!(first.is_err_and(|error| error.is_not_found()), "nobody has removed it");
    }

    #[test]
    fn what_was_cancelled_on_this_side_is_made_again_and_what_the_server_cancelled_is_not() {
        let mut unsent = Status::cancelled("operation was canceled");
        unsent.set_source(std::sync::Arc::new(std::io::Error::other("connection closed")));
        assert!(matches!(Failure::from(unsent), Failure::Away(why) if why == "connection closed"));
        assert!(matches!(Failure::from(Status::cancelled("not wanted any more")), Failure::Refused(_)));
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        let mut count = 0;
        let answer = until_answered("x", Duration::from_mins(1), |_| {
            count += 1;
            async { Err::<(), _>(Failure::from(Status::already_exists("there is one"))) }
        });
        assert!(matches!(answer.await, Err(Error::Refused(refusal)) if refusal.message == "there is one"));
        assert_eq!(count, 1);
    }
}

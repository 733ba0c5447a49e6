//! Why a robot failed, in its own words: many catch every exception, write it to the log, and end with an exit code that
//! says nothing.

use orchestrator_core::job::Outcome;
use orchestrator_core::text::Reason;
use orchestrator_db::{DbError, Tx};

use crate::finish::FinishRequest;

/// The most characters of a log line in a reason, so that the end of the standard error has its place, too.
const MOST: usize = 1_500;

/// The reason that a job ends with. A robot that failed by its exit code is explained by the last error that it logged.
pub(crate) async fn reason(tx: &mut Tx, outcome: Outcome, request: &FinishRequest) -> Result<Option<Reason>, DbError> {
    let told = request.reason.clone();
    if outcome != Outcome::Failed || request.exit_code.is_none() {
        return Ok(told);
    }
    let logged = tx.log_last_error(request.job).await?;
    Ok(match logged {
        Some(logged) => Some(with_logged(told.as_ref().map_or("", Reason::as_str), &logged)),
        None => told,
    })
}

/// What the worker said first, then the log line, then the end of the standard error, where that does not have it already.
fn with_logged(told: &str, logged: &str) -> Reason {
    let logged = shortened(logged.trim());
    if logged.is_empty() || told.contains(&logged) {
        return Reason::cut(told);
    }
    let (first, stderr) = told.split_once('\n').unwrap_or((told, ""));
    let parts = [first, logged.as_str(), stderr].into_iter().filter(|part| !part.is_empty());
    Reason::cut(&parts.collect::<Vec<_>>().join("\n"))
}

/// Its beginning says what happened; what follows is where.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logged_error_comes_between_the_exit_code_and_the_standard_error() {
        let reason = with_logged("exit code 1\nTraceback\nCalledProcessError", "SAP GUI er ikke startet\n");
        assert_eq!(reason.as_str(), "exit code 1\nSAP GUI er ikke startet\nTraceback\nCalledProcessError");
        assert_eq!(with_logged("exit code 1", "no SAP").as_str(), "exit code 1\nno SAP");
        assert_eq!(with_logged("", "no SAP").as_str(), "no SAP");
    }

    #[test]
    fn what_the_standard_error_has_is_not_said_twice() {
        let told = "exit code 1\nValueError: no SAP";
        assert_eq!(with_logged(told, "no SAP").as_str(), told);
        assert_eq!(with_logged(told, " \n").as_str(), told);
    }

    #[test]
    fn a_long_line_leaves_room_for_the_standard_error() {
        let reason = with_logged(&format!("exit code 1\n{}last words", "x".repeat(1_990)), &"æ".repeat(8_000));
        assert!(reason.as_str().starts_with("exit code 1\næææ") && reason.as_str().ends_with("xlast words"));
        assert!(reason.as_str().contains("æ…\nxxx"), "nothing is cut from the middle");
    }
}

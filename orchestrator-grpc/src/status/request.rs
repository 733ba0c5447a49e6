use orchestrator_core::cron::CronError;
use orchestrator_core::policy::PolicyError;
use orchestrator_core::text::TextError;
use orchestrator_core::trigger::DraftError;
use orchestrator_proto::convert::DecodeError;
use tonic::{Code, Status};

use super::{Refusal, reason};

/// What a message that cannot be decoded tells its sender: the field, and the limit where there is one.
#[expect(clippy::needless_pass_by_value, reason = "used as map_err(status::decode)")]
pub fn decode(error: DecodeError) -> Status {
    let refusal = Refusal::new(Code::InvalidArgument, reason_of(&error), error.to_string()).in_field(error.field());
    details(refusal, &error).status()
}

fn details(refusal: Refusal, error: &DecodeError) -> Refusal {
    match error {
        DecodeError::Missing { .. }
        | DecodeError::Time { .. }
        | DecodeError::Form { .. }
        | DecodeError::Source(_)
        | DecodeError::Zone(_) => refusal,
        DecodeError::Id { value, .. } => refusal.with("value", &value),
        DecodeError::Name { source, .. } => refusal.with("value", &source.value).with("expected", &source.expected),
        DecodeError::OutOfRange { value, least, most, .. } => range(refusal, value, least, most),
        DecodeError::Both { other, .. } => refusal.with("other", &other),
        DecodeError::Item { index, source, .. } => details(refusal.with("index", index), source),
        DecodeError::Text(error) => text(refusal, error),
        DecodeError::Policy(error) => policy(refusal, error),
        DecodeError::Draft(error) => draft(refusal, error),
        DecodeError::Cron(error) => cron(refusal, error),
    }
}

fn reason_of(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Item { source, .. } => reason_of(source),
        DecodeError::Cron(_) | DecodeError::Draft(DraftError::Never(_)) => reason::INVALID_CRON,
        DecodeError::Missing { .. }
        | DecodeError::Id { .. }
        | DecodeError::Name { .. }
        | DecodeError::OutOfRange { .. }
        | DecodeError::Time { .. }
        | DecodeError::Form { .. }
        | DecodeError::Both { .. }
        | DecodeError::Text(_)
        | DecodeError::Policy(_)
        | DecodeError::Source(_)
        | DecodeError::Draft(_)
        | DecodeError::Zone(_) => reason::INVALID_FIELD,
    }
}

fn range<N: ToString>(refusal: Refusal, value: &N, least: &N, most: &N) -> Refusal {
    refusal.with("value", value).with("least", least).with("most", most)
}

fn text(refusal: Refusal, error: &TextError) -> Refusal {
    match error {
        TextError::Empty { .. } => refusal,
        TextError::TooLong { limit, length, .. } => refusal.with("limit", &limit).with("length", &length),
        TextError::ControlCharacter { position, .. } => refusal.with("position", &position),
    }
}

fn policy(refusal: Refusal, error: &PolicyError) -> Refusal {
    match error {
        PolicyError::OutOfRange { value, least, most, .. } => range(refusal, value, least, most),
        PolicyError::RetryLostNeedsStopOnLost => refusal.with("other", &"stop_on_lost"),
    }
}

fn draft(refusal: Refusal, error: &DraftError) -> Refusal {
    match error {
        DraftError::Text(error) => text(refusal, error),
        DraftError::Policy(error) => policy(refusal, error),
        DraftError::OutOfRange { value, least, most, .. } => range(refusal, value, least, most),
        DraftError::BranchWithoutRepository => refusal.with("other", &"is_git_repo"),
        DraftError::WorkerTwice(name) => refusal.with("value", &name),
        DraftError::Source(_) | DraftError::Never(_) => refusal,
    }
}

fn cron(refusal: Refusal, error: &CronError) -> Refusal {
    refusal.with("position", &error.position()).with("token", &error.token())
}

#[cfg(test)]
mod tests {
    use orchestrator_core::cron::CronExpr;
    use orchestrator_core::text::TriggerName;
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_text_that_is_too_long_names_field_limit_and_length() {
        let status = decode(TriggerName::parse(&"x".repeat(101)).unwrap_err().into());
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(info.domain, "orchestrator");
        assert_eq!((info.metadata["limit"].as_str(), info.metadata["length"].as_str()), ("100", "101"));
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "trigger_name");
    }

    #[test]
    fn a_bad_cron_expression_says_where() {
        let status = decode(CronExpr::parse("0 25 * * *").unwrap_err().into());
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "INVALID_CRON");
        assert_eq!((info.metadata["field"].as_str(), info.metadata["position"].as_str()), ("cron_expr", "2"));
        assert!(status.message().contains("minute hour day-of-month month day-of-week"), "{}", status.message());
    }
}

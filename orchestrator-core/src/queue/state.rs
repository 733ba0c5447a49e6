use crate::clock::Timestamp;
use crate::states::named_states;

named_states!(
    /// A queue element's status as it is stored and shown.
    ElementStatus, "queue element status" {
        /// May be claimed.
        New = "NEW",
        /// A robot works on it.
        InProgress = "IN_PROGRESS",
        /// Done.
        Done = "DONE",
        /// The robot could not do it.
        Failed = "FAILED",
        /// Its job ended without a word about it, or a person gave it up.
        Abandoned = "ABANDONED",
    }
);

impl ElementStatus {
    /// Whether an element of this status may be claimed (the `ready` column).
    pub fn is_ready(self) -> bool {
        self == Self::New
    }

    /// Whether someone should look at it (the `attention` column).
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Failed | Self::Abandoned)
    }

    /// Whether it is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Abandoned)
    }
}

/// When an element was created, taken and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementTimes {
    /// When it was created.
    pub created_date: Timestamp,
    /// When work on it began.
    pub start_date: Option<Timestamp>,
    /// When it ended.
    pub end_date: Option<Timestamp>,
}

impl ElementTimes {
    /// The times after a change to `status`: IN_PROGRESS stamps the start, terminal states stamp the end, NEW clears both.
    #[must_use]
    pub fn on(self, status: ElementStatus, now: Timestamp) -> Self {
        match status {
            ElementStatus::New => Self { start_date: None, end_date: None, ..self },
            ElementStatus::InProgress => Self { start_date: Some(now), end_date: None, ..self },
            ElementStatus::Done | ElementStatus::Failed | ElementStatus::Abandoned => {
                Self { end_date: Some(now), ..self }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone, Utc};

    use super::*;

    #[test]
    fn each_status_stamps_its_times() {
        let t0 = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let t1 = t0 + Duration::seconds(1);
        let t2 = t0 + Duration::seconds(2);
        let new = ElementTimes { created_date: t0, start_date: None, end_date: None };
        let taken = new.on(ElementStatus::InProgress, t1);
        assert_eq!((taken.start_date, taken.end_date), (Some(t1), None));
        for end in [ElementStatus::Done, ElementStatus::Failed, ElementStatus::Abandoned] {
            let ended = taken.on(end, t2);
            assert_eq!((ended.start_date, ended.end_date), (Some(t1), Some(t2)));
            assert_eq!(ended.on(ElementStatus::New, t2), new);
            assert_eq!(ended.on(ElementStatus::InProgress, t2).end_date, None);
        }
    }

    #[test]
    fn only_new_elements_are_ready_and_only_bad_ends_need_attention() {
        for status in ElementStatus::ALL {
            assert_eq!(status.is_ready(), *status == ElementStatus::New);
            assert_eq!(status.needs_attention(), [ElementStatus::Failed, ElementStatus::Abandoned].contains(status));
        }
    }

    #[test]
    fn an_unknown_status_is_refused_with_the_known_ones() {
        let error = "OK".parse::<ElementStatus>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "'OK' is not a queue element status; one of NEW IN_PROGRESS DONE FAILED ABANDONED"
        );
    }
}

//! Ids tell when they were made, to the millisecond: what was made in a span of time is a range of the primary key.

use orchestrator_core::clock::Timestamp;
use uuid::{Builder, Uuid};

/// The first id that can be made at an instant.
pub(crate) fn first_id(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone as _, Utc};
    use orchestrator_core::id::JobId;

    use super::*;

    #[test]
    fn ids_are_on_the_side_of_an_instant_on_which_they_were_made() {
        let at = Utc.timestamp_millis_opt(1_700_000_000_123).unwrap();
        assert!(first_id(at) < first_id(at + TimeDelta::milliseconds(1)));
        assert!(first_id(at - TimeDelta::days(30)) < first_id(at));
        let id = JobId::generate().as_uuid();
        let (seconds, _) = id.get_timestamp().unwrap().to_unix();
        let made = Utc.timestamp_opt(i64::try_from(seconds).unwrap(), 0).unwrap();
        assert!(first_id(made) <= id && id < first_id(made + TimeDelta::seconds(1)));
    }
}

use orchestrator_core::policy::{Missed, Overlap, Policies};

use super::DecodeError;
use super::value::{optional_duration, to_duration};
use crate::v1;

/// Policies as messages carry them: every field set.
pub fn policies(policies: &Policies) -> v1::Policies {
    let (overlap, overlap_most) = match policies.overlap {
        Overlap::Skip => ("SKIP", 0),
        Overlap::BufferOne => ("BUFFER_ONE", 0),
        Overlap::Allow { most } => ("ALLOW", most),
    };
    let (missed, missed_most) = match policies.missed {
        Missed::Once => ("ONCE", 0),
        Missed::Skip => ("SKIP", 0),
        Missed::All { most } => ("ALL", most),
    };
    v1::Policies {
        timeout: policies.timeout.map(to_duration),
        stop_grace: Some(to_duration(policies.stop_grace)),
        kill_grace: Some(to_duration(policies.kill_grace)),
        keep_children: policies.keep_children,
        stop_on_lost: policies.stop_on_lost,
        lost_after: Some(to_duration(policies.lost_after)),
        max_attempts: policies.max_attempts,
        retry_delay: Some(to_duration(policies.retry_delay)),
        retry_lost: policies.retry_lost,
        max_consecutive_failures: policies.max_consecutive_failures,
        overlap: overlap.to_owned(),
        overlap_most,
        missed: missed.to_owned(),
        missed_most,
        max_lateness: policies.max_lateness.map(to_duration),
    }
}

/// Reads policies; absent fields mean the default.
pub fn read_policies(message: &v1::Policies) -> Result<Policies, DecodeError> {
    let default = Policies::default();
    let or_default = |given: u32, default: u32| if given == 0 { default } else { given };
    let policies = Policies {
        timeout: optional_duration("policies.timeout", message.timeout)?,
        stop_grace: optional_duration("policies.stop_grace", message.stop_grace)?.unwrap_or(default.stop_grace),
        kill_grace: optional_duration("policies.kill_grace", message.kill_grace)?.unwrap_or(default.kill_grace),
        keep_children: message.keep_children,
        stop_on_lost: message.stop_on_lost,
        lost_after: optional_duration("policies.lost_after", message.lost_after)?.unwrap_or(default.lost_after),
        max_attempts: or_default(message.max_attempts, default.max_attempts),
        retry_delay: optional_duration("policies.retry_delay", message.retry_delay)?.unwrap_or(default.retry_delay),
        retry_lost: message.retry_lost,
        max_consecutive_failures: or_default(message.max_consecutive_failures, default.max_consecutive_failures),
        overlap: overlap(&message.overlap, message.overlap_most)?,
        missed: missed(&message.missed, message.missed_most)?,
        max_lateness: optional_duration("policies.max_lateness", message.max_lateness)?,
    };
    policies.validate()?;
    Ok(policies)
}

fn overlap(name: &str, most: u32) -> Result<Overlap, DecodeError> {
    match name {
        "" => Ok(Overlap::default()),
        "SKIP" => Ok(Overlap::Skip),
        "BUFFER_ONE" => Ok(Overlap::BufferOne),
        "ALLOW" => Ok(Overlap::Allow { most }),
        _ => Err(DecodeError::Form { field: "policies.overlap", expected: "SKIP, BUFFER_ONE or ALLOW" }),
    }
}

fn missed(name: &str, most: u32) -> Result<Missed, DecodeError> {
    match name {
        "" => Ok(Missed::default()),
        "ONCE" => Ok(Missed::Once),
        "SKIP" => Ok(Missed::Skip),
        "ALL" => Ok(Missed::All { most }),
        _ => Err(DecodeError::Form { field: "policies.missed", expected: "ONCE, SKIP or ALL" }),
    }
}

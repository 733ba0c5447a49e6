//! One row of one round.

use std::time::Duration;

use serde_json::{Value, json};

use super::load::Load;

/// What was measured. Absent is what a row does not have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    pub(crate) what: String,
    /// A second.
    pub(crate) rate: Option<f64>,
    /// In milliseconds.
    pub(crate) p50: Option<f64>,
    /// Of all, in milliseconds: where there is no p50.
    pub(crate) average: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Handed out more than once.
    pub(crate) doubled: Option<u64>,
    /// Answers that nothing is there, although something was.
    pub(crate) overlooked: Option<u64>,
    /// Calls that shared a transaction.
    pub(crate) shared: Option<f64>,
}

impl Figure {
    pub(crate) fn of_load(what: String, load: &Load) -> Self {
        Self {
            what,
            rate: Some(load.rate),
            p50: Some(millis(load.times.p50())),
            average: None,
            p99: Some(millis(load.times.p99())),
            doubled: u64::try_from(load.doubled).ok(),
            overlooked: u64::try_from(load.overlooked).ok(),
            shared: None,
        }
    }

    pub(crate) fn of_rate(what: String, rate: f64) -> Self {
        Self { what, rate: Some(rate), ..Self::default() }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "what": self.what,
            "rate": self.rate,
            "p50_ms": self.p50,
            "p99_ms": self.p99,
            "average_ms": self.average,
            "doubled": self.doubled,
            "overlooked": self.overlooked,
            "calls_a_transaction": self.shared,
        })
    }

    /// What a peer's script or an earlier run printed.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            what: value["what"].as_str()?.to_owned(),
            rate: value["rate"].as_f64(),
            p50: value["p50_ms"].as_f64(),
            average: value["average_ms"].as_f64(),
            p99: value["p99_ms"].as_f64(),
            doubled: value["doubled"].as_u64(),
            overlooked: value["overlooked"].as_u64(),
            shared: value["calls_a_transaction"].as_f64(),
        })
    }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

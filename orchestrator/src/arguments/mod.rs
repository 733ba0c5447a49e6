//! Values as people type them.

mod bound;
mod elapsed;
mod fire_limit;
mod moment;
mod names;
mod paging;
mod when;

pub(crate) use bound::Bound;
pub(crate) use elapsed::{parse as duration, to_wire as duration_to_wire};
pub(crate) use fire_limit::{MissedChoice, OverlapChoice};
pub(crate) use moment::Moment;
pub(crate) use moment::to_wire as time_to_wire;
pub(crate) use names::{element_status, job_status, log_level, role};
pub(crate) use paging::{Paging, pages};
pub(crate) use when::{When, instant_in};

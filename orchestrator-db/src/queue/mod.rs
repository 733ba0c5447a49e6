//! Queue elements: created, claimed exactly once, and brought to an end.
//!
//! Every verb that changes a status writes the element's columns together, in `change`, and appends what changed to the
//! counts. `status` is in no index: the flags `ready` and `attention` are.

mod behind;
mod change;
mod claim;
mod count;
mod edit;
mod find;
mod held;
mod insert;
mod list;
mod live;
mod marks;
mod names;
mod release;
mod row;
mod sample;
mod settings;
mod status;

pub use claim::{ClaimRequest, ElementClaimError, Granted};
pub(crate) use claim::{
    Ridden, elements_claim_at_once, elements_ride_at_once, elements_ride_on_sqlite, end_ride_on_sqlite, fit_at_once,
    rides_fit, rides_fit_at_once,
};
pub(crate) use count::Deltas;
pub use count::{QueueCounts, QueuePage, QueueSummary};
pub use edit::ElementEdit;
pub use insert::{ImportedElement, NewElement};
pub(crate) use insert::{creations_fit_at_once, elements_create_at_once, elements_create_on_sqlite};
pub use list::ElementFilter;
pub use marks::Look;
pub(crate) use marks::{MarkChanges, Marks, Position};
pub use release::Released;
pub use sample::{QueueSample, SampleStep};
pub use settings::QueueSettings;
pub(crate) use status::elements_end_at_once;
pub use status::{StatusBy, StatusChange, StatusError, StatusSet};

#[cfg(test)]
crate::statements::statements![; behind, change, claim, count, edit, find, insert, list, live, names, release, sample, settings, status];

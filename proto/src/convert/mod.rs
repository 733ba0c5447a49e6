//! Between messages and the domain. Decoding checks everything that the domain's types promise and names the field that
//! it refuses; encoding cannot fail.
//!
//! One file per family of messages; [`DecodeError`] is common to all.

mod constant;
mod credential;
mod error;
mod job;
mod log;
mod policies;
mod queue;
mod trigger;
mod value;
mod worker;

pub use constant::{constant, read_constant};
pub use credential::credential;
pub use error::DecodeError;
pub use job::job;
pub use log::{log, new_logs, read_log};
pub use policies::{policies, read_policies};
pub use queue::{NewElement, NewStatus, data, element, new_element, new_status, read_element, reference};
pub use trigger::{DraftContext, draft, key, process_args, trigger};
pub use value::{
    PageRequest, call, duration, id, instant, limit, name, optional_duration, optional_id, optional_instant, page,
    required, timestamp, to_duration,
};
pub use worker::{
    HeldJob, OUTPUT_CHUNK_BYTES, Report, held, outcome, output_chunk, to_held, to_output_chunk, token_hash,
};

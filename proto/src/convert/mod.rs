//! Between messages and the domain. Decoding checks everything that the domain's types promise and names the field that
//! it refuses; encoding cannot fail.
//!
//! One file per family of messages; [`DecodeError`] is common to all.

mod error;
mod job;
mod policies;
mod trigger;
mod value;
mod worker;

pub use error::DecodeError;
pub use job::job;
pub use policies::{policies, read_policies};
pub use trigger::{DraftContext, draft, key, trigger};
pub use value::{
    PageRequest, duration, id, instant, limit, name, optional_duration, optional_id, optional_instant, page, required,
    timestamp, to_duration,
};
pub use worker::{HeldJob, OUTPUT_CHUNK_BYTES, OutputChunk, Report, held, outcome, output_chunk, to_held, token_hash};

//! Between messages and the domain. Decoding checks everything that the domain's types promise and names the field that
//! it refuses; encoding cannot fail.
//!
//! One file per family of messages; [`DecodeError`] is common to all.

mod error;
mod value;

pub use error::DecodeError;
pub use value::{
    PageRequest, duration, id, instant, limit, name, optional_duration, optional_id, optional_instant, page, required,
    timestamp, to_duration,
};

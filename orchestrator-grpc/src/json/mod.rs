//! Unary methods as JSON: `POST /rpc/<service>/<method>`.
//!
//! A call becomes the same gRPC call within the process, through the same handlers, and its answer becomes JSON again.
//! The gate in front has checked the Bearer token before a byte of the body is read; cookies mean nothing here. Every
//! field is printed, with its default as well; a field that the request does not have is refused by name.

mod error;
mod frame;
mod transcoder;

pub(crate) use error::{refuse, refuse_as};
pub(crate) use transcoder::{JsonLimits, Transcoder, call};

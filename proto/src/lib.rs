//! The wire: messages and services of `orchestrator.v1`, generated from the `.proto` files beside this crate, and how they
//! become values of the domain. [`refusal`] is how they are refused in JSON.

pub mod codec;
pub mod convert;
pub mod refusal;
pub mod rows;

/// Messages, clients and servers as generated.
#[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("orchestrator.v1");
}

/// The compiled descriptors of every file, for reflection and for JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

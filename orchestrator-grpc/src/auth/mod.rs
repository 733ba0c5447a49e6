//! Authentication: from the tokens of a request to the identity that calls.
//!
//! A user or a worker sends its token as `authorization: Bearer …`. A worker that forwards a robot's call sends the job's
//! token as well, as `x-orchestrator-job-token`; a job token alone opens nothing. The gate is the one layer in front of
//! every method, for gRPC and JSON alike: it finds the identity, asks the [table](crate::authorize), and puts the
//! identity into the request's extensions.
//!
//! Pages are the third way in: what is neither gRPC nor `/rpc` may carry the cookie of a session, and gets the identity of
//! its user. Nothing else ever looks at cookies.

mod gate;
mod headers;
mod identity;
mod last_used;
mod page;
mod readers;
mod tokens;

pub(crate) use gate::{Admitted, Gate, admit, is_grpc, only_admitted, unknown_method};
pub use identity::{Identity, JobIdentity, KnownBy, User, WorkerIdentity, identity};

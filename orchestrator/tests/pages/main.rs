//! The pages on a real server, over plain HTTP: who may open what, signing in, and what administrators do there.

#![expect(clippy::unwrap_used, reason = "in helpers, too, a test that cannot go on panics")]

mod audit;
mod jobs;
mod live;
mod people;
mod routes;
mod sign_in;
mod triggers;
mod world;

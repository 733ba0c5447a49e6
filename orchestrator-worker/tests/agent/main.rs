//! The agent against a server that can lose answers, be away, and refuse: one kind of trouble a file. Needs bash.
#![cfg(unix)]

mod ends;
mod fake;
mod instants;
mod leases;
mod leftovers;
mod lost_answers;
mod outages;
mod starting;
mod stopping;
mod unfit;
mod watchdog;
mod world;

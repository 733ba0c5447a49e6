//! Supervision of real processes: one scenario a file. Needs bash, python3 and git.
#![cfg(unix)]

mod adopted_orphan;
mod bystander;
mod checkout;
mod checkout_refused;
mod credentials;
mod endings;
mod entry_point;
mod escapes;
mod leftovers;
mod mirrors;
mod output;
mod robot_arguments;
mod stop;
mod world;

//! The cron module against cronsim (golden data), croner, brute force, and the written rules for clock changes.

mod clock_changes;
mod english;
mod golden;
mod grammar;
mod properties;
mod world;

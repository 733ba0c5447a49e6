//! Scenarios with the real programs: one file for what belongs together, one function for each behaviour.

mod bad_input;
mod bad_source;
mod change_of_mind;
mod database_away;
mod dev;
mod full_disk;
mod kill;
mod lost_answers;
mod out_of_touch;
mod output;
mod placement;
mod policies;
mod queue_drain;
mod queue_trigger;
mod refuses_to_start;
mod robot_calls;
mod robot_endpoint;
mod run_now;
mod scheduled_trigger;
mod server_killed;
mod single_trigger;
mod spool;
mod tokens;
mod two_servers;
mod worker_killed;
mod worker_stops;

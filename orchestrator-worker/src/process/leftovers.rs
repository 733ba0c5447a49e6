//! What an earlier agent left behind.

use std::collections::HashSet;

use super::registry::Registry;
use super::sweep::{Quarry, Sweep};
use super::{JobCookie, Launcher};

/// Kills every process that bears one of `cookies`, and what those processes started. To be called when an agent starts,
/// with the jobs of its state file, before it registers. Reports what it killed.
///
/// The launcher is asked for because there must be one: only a process that adopts orphans sees all of them.
pub async fn kill_leftovers(_launcher: &Launcher, cookies: impl IntoIterator<Item = JobCookie>) -> Sweep {
    let cookies: HashSet<JobCookie> = cookies.into_iter().collect();
    if cookies.is_empty() {
        return Sweep::default();
    }
    let quarry = Quarry { cookies, ..Quarry::default() };
    quarry.sweep(Registry::of_this_process()).await
}

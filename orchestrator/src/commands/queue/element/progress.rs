//! How far a long upload is: one line on standard error that is written over, on a terminal only.

use std::io::IsTerminal as _;
use std::time::Instant;

use crate::output::stderr_bytes;

/// A count that grows to a total.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    done: usize,
    shown: Option<Instant>,
    visible: bool,
}

impl Progress {
    pub(super) fn new(total: usize, for_people: bool) -> Self {
        Self { total, done: 0, shown: None, visible: for_people && std::io::stderr().is_terminal() }
    }

    pub(super) fn add(&mut self, count: usize) {
        self.done += count;
        let due = self.shown.is_none_or(|at| at.elapsed().as_millis() >= 100);
        if self.visible && due {
            self.shown = Some(Instant::now());
            stderr_bytes(format!("\rSending {} of {} …", self.done, self.total).as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            // Wipes the line.
            stderr_bytes(b"\r\x1b[K");
        }
    }
}

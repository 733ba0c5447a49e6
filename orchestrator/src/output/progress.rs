//! How far long work is: a bar on standard error, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A count that grows to a total. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// `verb` says what happens, such as `Sending`. Nobody but people on a terminal sees it.
    pub(crate) fn new(verb: &'static str, total: usize, for_people: bool) -> Self {
        let visible = for_people && std::io::stderr().is_terminal() && total > 0;
        let target = if visible { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), target).with_message(verb);
        let form = "{msg} {bar:30} {human_pos} of {human_len}, {per_sec}, {eta} left";
        Self(bar.with_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// The same where nobody knows how many there will be.
    pub(crate) fn counting(verb: &'static str, for_people: bool) -> Self {
        let visible = for_people && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_message(verb);
        let form = "{msg}: {human_pos}, {per_sec}";
        Self(bar.with_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_spinner())))
    }

    /// A line that changes, for what has no count that grows.
    pub(crate) fn telling(for_people: bool) -> Self {
        let visible = for_people && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{msg} …").unwrap_or_else(|_| ProgressStyle::default_spinner());
        Self(ProgressBar::with_draw_target(None, target).with_style(style))
    }

    /// What the line says from now on.
    pub(crate) fn tell(&self, line: &str) {
        self.0.set_message(super::printable(line));
        self.0.tick();
    }

    /// So many more are done.
    pub(crate) fn add(&self, count: usize) {
        self.0.inc(u64::try_from(count).unwrap_or_default());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_kept_and_its_form_is_valid() {
        let progress = Progress::new("Sending", 10, false);
        progress.add(3);
        progress.add(4);
        assert_eq!(progress.0.position(), 7);
        assert!(progress.0.is_hidden());
        assert!(
            ProgressStyle::with_template("{msg} {bar:30} {human_pos} of {human_len}, {per_sec}, {eta} left").is_ok()
        );
    }
}

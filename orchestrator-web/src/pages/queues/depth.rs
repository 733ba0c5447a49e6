//! How much work waits in a queue, beside the others.

use orchestrator_proto::v1;

/// The width of the deepest queue's bar.
const WIDTH: i64 = 1000;

/// A bar: what waits, and after it what is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) waiting: i64,
    pub(crate) busy: i64,
}

/// A bar for each queue, all to the same scale.
pub(crate) fn depths(queues: &[v1::Queue]) -> Vec<Depth> {
    let deep = |queue: &v1::Queue| queue.new_count + queue.in_progress_count;
    let most = queues.iter().map(deep).max().unwrap_or_default().max(1);
    // What is there is seen, however little it is beside the deepest.
    let scaled = |count: i64| if count == 0 { 0 } else { (count * WIDTH / most).max(WIDTH / 100) };
    let bar = |queue: &v1::Queue| {
        let waiting = scaled(queue.new_count).min(WIDTH);
        Depth { waiting, busy: scaled(queue.in_progress_count).min(WIDTH - waiting) }
    };
    queues.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_one_scale_and_a_little_is_still_seen() {
        let queue = |new_count, in_progress_count| v1::Queue { new_count, in_progress_count, ..v1::Queue::default() };
        let bars = depths(&[queue(75, 25), queue(50, 0), queue(0, 0)]);
        assert_eq!(bars[0], Depth { waiting: 750, busy: 250 });
        assert_eq!(bars[1], Depth { waiting: 500, busy: 0 });
        assert_eq!(bars[2], Depth { waiting: 0, busy: 0 });
        assert_eq!(depths(&[queue(1_000_000, 1), queue(1, 0)])[1].waiting, 10);
        assert!(depths(&[queue(1_000_000, 1)])[0].waiting <= WIDTH);
        assert!(depths(&[]).is_empty());
    }
}

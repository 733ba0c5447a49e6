//! Word that elements changed, for the one who tells the pages. It comes with every claim and every end, thousands of times a
//! second, so it is no stream: what changes before the last word was taken is the same word.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether elements changed. For a single listener.
#[derive(Debug, Default)]
pub struct ElementChanges {
    is_told: AtomicBool,
    word: Notify,
}

impl ElementChanges {
    /// Elements changed.
    pub fn tell(&self) {
        // Read first: most calls find it told, and leave the line of memory with the others.
        if !self.is_told.load(Ordering::Acquire) && !self.is_told.swap(true, Ordering::AcqRel) {
            self.word.notify_one();
        }
    }

    /// Waits until elements have changed, before the call or later. Nothing more is heard before [`Self::take`].
    pub async fn heard(&self) {
        self.word.notified().await;
    }

    /// From now on a change is news. Call it before looking at what changed.
    pub fn take(&self) {
        self.is_told.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_heard(changes: &ElementChanges) -> bool {
        timeout(Duration::ZERO, changes.heard()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_changes_before_the_word_is_taken_is_the_same_word() {
        let changes = ElementChanges::default();
        assert!(!is_heard(&changes).await);
        changes.tell();
        changes.tell();
        assert!(is_heard(&changes).await);
        changes.tell();
        assert!(!is_heard(&changes).await, "it was told before");
        changes.take();
        assert!(!is_heard(&changes).await, "nothing changed since");
        changes.tell();
        assert!(is_heard(&changes).await);
    }
}

//! An HTTP/2 connection and its calls in one task.
//!
//! With a task for each call, a call is begun in one, goes on in a second when it has what it waited for, and its answer
//! leaves by the first again: four turns, often on two processors. Here it is two turns of one task.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use futures_util::{FutureExt as _, StreamExt as _};
use hyper::rt::Executor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::options::Shutdown;

/// So many calls of one connection run in its task; more get tasks of their own, for which other processors can be used.
const WITHIN: usize = 8;
/// So often a connection and its calls get their turns before other tasks get theirs.
const MOST_TURNS: usize = 4;

/// Something that runs within the task of a connection.
type Part = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// What came to its end.
#[derive(Debug, Clone, Copy)]
enum Ended {
    Call,
    /// The time in which the server takes anything new.
    Serving,
    /// The time in which it finishes what was begun.
    Finishing,
}

/// Takes the calls that a connection begins.
#[derive(Clone)]
pub(super) struct Calls {
    begun: Arc<Begun>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Begun {
    calls: Mutex<Vec<Part>>,
    /// Calls that run within the task, those that were only just begun among them.
    within: AtomicUsize,
}

impl Calls {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { begun: Arc::default(), tasks }
    }
}

impl<F> Executor<F> for Calls
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, call: F) {
        if self.begun.within.load(Ordering::Relaxed) >= WITHIN {
            self.tasks.spawn(call);
            return;
        }
        self.begun.within.fetch_add(1, Ordering::Relaxed);
        // A call that panics ends alone, as in a task of its own: the panic was reported when it happened.
        let call = Box::pin(AssertUnwindSafe(call).catch_unwind().map(|_| Ended::Call));
        self.begun.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// A connection that can be told to begin nothing new.
pub(super) trait Connection: Future {
    /// Lets what was begun finish, and then ends.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

/// Drives a connection and the calls that it hands to `calls`, until it ends by itself or the server does. Nothing when
/// it was cut. No `async fn`, which would keep room for the connection beside its box.
pub(super) fn together<C: Connection>(connection: C, calls: Calls, shutdown: &Shutdown) -> Together<C> {
    let parts = FuturesUnordered::new();
    // Here it is asked when it has something to say, and not whenever the connection is.
    parts.push(Box::pin(shutdown.soft.clone().cancelled_owned().map(|()| Ended::Serving)) as Part);
    let turns = Arc::new(Turns { wanted: AtomicU8::new(CONNECTION | CALLS), task: AtomicWaker::new() });
    Together {
        connection: Box::pin(connection),
        parts,
        begun: calls.begun,
        cut: shutdown.hard.clone(),
        of_connection: Waker::from(Arc::new(Bell { of: CONNECTION, turns: turns.clone() })),
        of_calls: Waker::from(Arc::new(Bell { of: CALLS, turns: turns.clone() })),
        turns,
    }
}

/// A connection with its calls.
pub(super) struct Together<C> {
    connection: Pin<Box<C>>,
    parts: FuturesUnordered<Part>,
    begun: Arc<Begun>,
    /// Ends it whatever goes on.
    cut: CancellationToken,
    turns: Arc<Turns>,
    of_connection: Waker,
    of_calls: Waker,
}

impl<C: Connection> Future for Together<C> {
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.turns.begin(cx.waker());
        for _ in 0..MOST_TURNS {
            // First the calls: what they answer leaves in the connection's turn.
            if this.turns.take(CALLS) {
                while let Poll::Ready(Some(ended)) =
                    this.parts.poll_next_unpin(&mut Context::from_waker(&this.of_calls))
                {
                    match ended {
                        Ended::Call => _ = this.begun.within.fetch_sub(1, Ordering::Relaxed),
                        Ended::Serving => {
                            this.connection.as_mut().graceful_shutdown();
                            this.of_connection.wake_by_ref();
                            let cut = this.cut.clone().cancelled_owned();
                            this.parts.push(Box::pin(cut.map(|()| Ended::Finishing)));
                        }
                        Ended::Finishing => return Poll::Ready(None),
                    }
                }
            }
            if this.turns.take(CONNECTION)
                && let Poll::Ready(ended) = this.connection.as_mut().poll(&mut Context::from_waker(&this.of_connection))
            {
                return Poll::Ready(Some(ended));
            }
            let begun = std::mem::take(&mut *this.begun.calls.lock().unwrap_or_else(PoisonError::into_inner));
            if !begun.is_empty() {
                this.parts.extend(begun);
                this.of_calls.wake_by_ref();
            }
            if this.turns.end() {
                return Poll::Pending;
            }
        }
        // Others have waited long enough.
        this.turns.pause();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whose turn it is. What asks for one while the task runs anyway gets it without waking the task once more, for which
/// another processor would be woken, too.
#[derive(Debug)]
struct Turns {
    wanted: AtomicU8,
    task: AtomicWaker,
}

/// The connection wants its turn.
const CONNECTION: u8 = 1;
/// A call, or the end of the server, wants its turn.
const CALLS: u8 = 2;
/// The task runs and will look.
const RUNNING: u8 = 4;

impl Turns {
    /// The task runs.
    fn begin(&self, task: &Waker) {
        self.task.register(task);
        self.wanted.fetch_or(RUNNING, Ordering::AcqRel);
    }

    /// Whether one of them wants its turn, which it gets now.
    fn take(&self, of: u8) -> bool {
        self.wanted.fetch_and(!of, Ordering::AcqRel) & of != 0
    }

    /// Whether the task is through: nobody wants a turn. Otherwise it goes on running.
    fn end(&self) -> bool {
        self.wanted.compare_exchange(RUNNING, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The task runs no more, whoever wants a turn.
    fn pause(&self) {
        self.wanted.fetch_and(!RUNNING, Ordering::AcqRel);
    }

    fn ask(&self, of: u8) {
        if self.wanted.fetch_or(of, Ordering::AcqRel) & RUNNING == 0 {
            self.task.wake();
        }
    }
}

/// How one of the two asks for its turn.
#[derive(Debug)]
struct Bell {
    of: u8,
    turns: Arc<Turns>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.turns.ask(self.of);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.turns.ask(self.of);
    }
}

#[cfg(test)]
mod tests;

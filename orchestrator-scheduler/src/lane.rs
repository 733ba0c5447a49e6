//! Calls of one kind that share transactions: what arrives while one is in flight is dealt with together in the next.
//! Nothing ever waits for company, and every caller is answered after its commit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Calls that one transaction takes on at most.
const MOST_TOGETHER: usize = 256;

/// Where calls meet.
#[derive(Debug)]
pub(crate) struct Lane<Q, A> {
    waiting: Mutex<Vec<(Q, oneshot::Sender<A>)>>,
    flight: tokio::sync::Mutex<()>,
}

impl<Q, A> Default for Lane<Q, A> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }
}

impl<Q: Clone, A> Lane<Q, A> {
    fn waiting(&self) -> MutexGuard<'_, Vec<(Q, oneshot::Sender<A>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that are next; those whose callers have gone are dropped.
    fn next(&self) -> (Vec<Q>, Vec<oneshot::Sender<A>>) {
        let mut waiting = self.waiting();
        let count = waiting.len().min(MOST_TOGETHER);
        waiting.drain(..count).filter(|(_, sender)| !sender.is_closed()).unzip()
    }

    /// Has a call dealt with, alone or together with others. `run` answers each of its calls, in their order. Whoever comes
    /// first runs the transaction for all who wait; where that caller goes away in the middle of it, the others' calls are
    /// made again.
    pub(crate) async fn ask<F, R>(&self, call: Q, run: F) -> A
    where
        F: Fn(Vec<Q>) -> R,
        R: Future<Output = Vec<A>>,
    {
        loop {
            let (sender, mut answer) = oneshot::channel();
            self.waiting().push((call.clone(), sender));
            let flight = tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Ok(answer) => return answer,
                    Err(_) => continue,
                },
                flight = self.flight.lock() => flight,
            };
            loop {
                match answer.try_recv() {
                    Ok(answer) => return answer,
                    Err(oneshot::error::TryRecvError::Closed) => break,
                    Err(oneshot::error::TryRecvError::Empty) => {}
                }
                let (calls, senders) = self.next();
                for (sender, answer) in senders.into_iter().zip(run(calls).await) {
                    // A caller that has gone repeats its call.
                    let _ = sender.send(answer);
                }
            }
            drop(flight);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;
    use tokio::task::{AbortHandle, JoinSet};

    use super::*;

    type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

    /// Runs a batch when it is let through, and notes it.
    async fn run(batches: Batches, gate: Arc<Notify>, calls: Vec<u32>) -> Vec<u32> {
        gate.notified().await;
        let answers = calls.iter().map(|call| call * 10).collect();
        batches.lock().unwrap().push(calls);
        answers
    }

    async fn until_waiting(lane: &Lane<u32, u32>, count: usize) {
        while lane.waiting().len() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_arrives_during_a_flight_goes_together_in_the_next() {
        let (lane, batches, gate) = (Arc::new(Lane::default()), Batches::default(), Arc::new(Notify::new()));
        let mut callers = JoinSet::new();
        for number in 1..=5 {
            let (lane, batches, gate) = (lane.clone(), batches.clone(), gate.clone());
            let waiting = lane.clone();
            callers.spawn(async move { lane.ask(number, |calls| run(batches.clone(), gate.clone(), calls)).await });
            // The first is in flight before the others come.
            if number == 1 {
                while waiting.flight.try_lock().is_ok() || !waiting.waiting().is_empty() {
                    tokio::task::yield_now().await;
                }
            } else {
                until_waiting(&waiting, number as usize - 1).await;
            }
        }
        gate.notify_one();
        while batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        let mut answers = callers.join_all().await;
        answers.sort_unstable();
        assert_eq!(answers, [10, 20, 30, 40, 50]);
        assert_eq!(*batches.lock().unwrap(), [vec![1], vec![2, 3, 4, 5]]);
    }

    struct World {
        lane: Arc<Lane<u32, u32>>,
        batches: Batches,
        gate: Arc<Notify>,
        callers: JoinSet<u32>,
    }

    impl World {
        fn new() -> Self {
            Self { lane: Arc::default(), batches: Batches::default(), gate: Arc::default(), callers: JoinSet::new() }
        }

        fn ask(&mut self, number: u32) -> AbortHandle {
            let (lane, batches, gate) = (self.lane.clone(), self.batches.clone(), self.gate.clone());
            self.callers.spawn(async move { lane.ask(number, |calls| run(batches.clone(), gate.clone(), calls)).await })
        }

        /// The first call is in flight alone, the others wait.
        async fn first_then(&mut self, others: [u32; 2]) -> [AbortHandle; 2] {
            self.ask(1);
            while self.lane.flight.try_lock().is_ok() || !self.lane.waiting().is_empty() {
                tokio::task::yield_now().await;
            }
            let others = others.map(|number| self.ask(number));
            until_waiting(&self.lane, 2).await;
            others
        }

        async fn answer(&mut self) -> Option<u32> {
            self.callers.join_next().await.and_then(Result::ok)
        }
    }

    #[tokio::test]
    async fn the_call_of_someone_whose_leader_went_away_is_made_again() {
        let mut world = World::new();
        let [leader, _] = world.first_then([2, 3]).await;
        world.gate.notify_one();
        assert_eq!(world.answer().await, Some(10));
        // Whoever leads now has both calls in hand.
        while !world.lane.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        leader.abort();
        assert_eq!(world.answer().await, None);
        world.gate.notify_one();
        assert_eq!(world.answer().await, Some(30));
    }

    #[tokio::test]
    async fn a_caller_that_has_gone_is_not_dealt_with() {
        let mut world = World::new();
        let [gone, _] = world.first_then([2, 3]).await;
        gone.abort();
        assert_eq!(world.answer().await, None);
        world.gate.notify_one();
        assert_eq!(world.answer().await, Some(10));
        world.gate.notify_one();
        assert_eq!(world.answer().await, Some(30));
        assert_eq!(world.batches.lock().unwrap().last(), Some(&vec![3]));
    }
}

//! Waiting for the end of a robot, or bringing it about.

use std::fmt::Write as _;
use std::time::Duration;

use orchestrator_core::policy::Policies;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::granted::Granted;
use super::held::{Orders, Watch};
use super::lease::LeaseEnd;
use super::outcome::Outcome;
use super::run::Inner;
use crate::process::{Children, Exit, Leftover, RunningProcess, Stopped, Sweep, SweptProcess, kill_survivors};

/// How long before the end of its lease a robot that stops when lost is killed: killing takes up to a second.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// How often it is looked whether the machine has slept.
const LOOK: Duration = Duration::from_millis(500);

/// How often it is tried to kill a robot that does not end.
const AGAIN: Duration = Duration::from_secs(2);

/// Why a robot is ended.
#[derive(Debug, Clone, Copy)]
enum Cause {
    Ordered,
    TimedOut(Duration),
    Lost,
}

/// What a robot runs in.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) granted: &'a Granted,
    pub(super) agent: &'a Inner,
    /// Takes what its job is to say at once.
    pub(super) remarking: mpsc::Sender<String>,
}

/// Waits for the end of the robot, or brings it about. Nothing of its tree is left when this returns, but for what is
/// remarked on. No outcome: the job is not ours any more.
pub(super) async fn supervise(
    process: &mut RunningProcess,
    around: Around<'_>,
    watch: &mut Watch,
) -> (Option<Outcome>, Option<String>) {
    let granted = around.granted;
    let policies = &granted.policies;
    let mut lease = watch.lease.clone();
    let cause = tokio::select! {
        biased;
        exit = process.wait() => match exit {
            Ok(exit) => return ended_by_itself(process, granted, exit).await,
            Err(error) => return unseen(process, &around, &error).await,
        },
        _ = watch.until(Orders::any) => Cause::Ordered,
        limit = overtime(policies.timeout) => Cause::TimedOut(limit),
        () = lost(&mut lease, policies.stop_on_lost) => Cause::Lost,
    };
    let stopped = end(process, policies, watch, cause).await;
    let stopped = until_dead(process, &around, stopped).await;
    let remark = remark(granted, &stopped.sweep);
    let outcome = (!watch.orders().gone).then(|| outcome(watch.orders(), cause, stopped.exit));
    (outcome, remark)
}

async fn ended_by_itself(
    process: &mut RunningProcess,
    granted: &Granted,
    exit: Exit,
) -> (Option<Outcome>, Option<String>) {
    let children = if granted.policies.keep_children { Children::Keep } else { Children::Kill };
    let sweep = process.sweep(children).await;
    let outcome = if exit.is_success() { Outcome::done() } else { Outcome::failed(code(exit), exit.to_string()) };
    (Some(outcome), remark(granted, &sweep))
}

/// The system does not say how the robot is: it must not go on unseen.
async fn unseen(
    process: &mut RunningProcess,
    around: &Around<'_>,
    error: &std::io::Error,
) -> (Option<Outcome>, Option<String>) {
    let stopped = process.stop(Duration::ZERO).await;
    let stopped = until_dead(process, around, stopped).await;
    let outcome = Outcome::failed(stopped.exit.and_then(code), format!("its end could not be seen: {error}"));
    (Some(outcome), remark(around.granted, &stopped.sweep))
}

/// Goes on to kill what lives of a robot that was to be ended: its job is not over, and nothing may be started in its place. Only
/// the agent's own end ends this, and the next agent finds the job in the state file.
async fn until_dead(process: &mut RunningProcess, around: &Around<'_>, mut stopped: Stopped) -> Stopped {
    let Around { granted, agent, ref remarking } = *around;
    if stopped.exit.is_some() && !stopped.sweep.has_survivors() {
        return stopped;
    }
    tracing::error!(
        job.id = %granted.job, process.pid = process.identity().pid, survivors = ?stopped.sweep.survivors,
        "processes of a job that was to be ended live on, so it is not over; it is tried again every 2 s. One that runs as \
         another user has to be ended by root (kill -9 PID); one in state D ends when the disk or network drive answers"
    );
    // A server that is away keeps them waiting.
    let _ = remarking.try_send(remark_on_survivors(&stopped.sweep.survivors));
    let mut left = leftover(process, granted);
    left.remember(&stopped.sweep.survivors);
    agent.note_survivors(&left).await;
    loop {
        if let Ok(Ok(exit)) = timeout(AGAIN, process.wait()).await {
            stopped.exit = Some(exit);
            sleep(AGAIN).await;
        }
        let sweep = kill_survivors(&agent.launcher, &left).await;
        if stopped.exit.is_some() && !sweep.has_survivors() {
            break;
        }
        left.remember(&sweep.survivors);
        agent.note_survivors(&left).await;
    }
    // Lets go of the main process, if that ended only now.
    let last = process.sweep(Children::Kill).await;
    stopped.sweep.survivors = last.survivors;
    stopped
}

/// The robot as an agent would look for it that did not start it.
fn leftover(process: &RunningProcess, granted: &Granted) -> Leftover {
    Leftover {
        job: granted.job,
        grant: Some(granted.cookie.grant()),
        is_started: true,
        main: Some(process.identity()),
        strays: Vec::new(),
    }
}

/// An administrator's kill names the end before a time-out does, and both before the agent's own end.
fn outcome(orders: Orders, cause: Cause, exit: Option<Exit>) -> Outcome {
    let exit_code = exit.and_then(code);
    match cause {
        Cause::TimedOut(limit) => Outcome::timed_out(exit_code, limit),
        _ if orders.kill => Outcome::killed(exit_code),
        Cause::Lost => {
            let reason = "the server was out of reach, and the trigger says to stop then (stop_on_lost)";
            Outcome::failed(exit_code, reason)
        }
        // A robot that used the grace to end well has ended well.
        Cause::Ordered if exit.is_some_and(Exit::is_success) => Outcome::done(),
        Cause::Ordered => Outcome::failed(exit_code, "the worker was stopped while the robot ran"),
    }
}

/// Ends the tree with the grace that its orders allow. An order that comes meanwhile, or a lease that ends, may cut the
/// grace short and never makes it longer.
async fn end(process: &mut RunningProcess, policies: &Policies, watch: &mut Watch, cause: Cause) -> Stopped {
    let mut lease = watch.lease.clone();
    let mut is_lost = matches!(cause, Cause::Lost);
    let mut deadline: Option<Instant> = None;
    loop {
        let seen = watch.orders();
        let grace = if is_lost { Duration::ZERO } else { grace(policies, seen) };
        let now = Instant::now();
        let until = deadline.map_or(now + grace, |earlier| earlier.min(now + grace));
        deadline = Some(until);
        tokio::select! {
            biased;
            _ = watch.until(|orders| orders != seen) => {}
            () = lost(&mut lease, policies.stop_on_lost && !is_lost) => is_lost = true,
            stopped = process.stop(until.saturating_duration_since(now)) => return stopped,
        }
    }
}

fn grace(policies: &Policies, orders: Orders) -> Duration {
    if orders.gone || orders.abort {
        Duration::ZERO
    } else if orders.kill {
        policies.kill_grace
    } else {
        policies.stop_grace
    }
}

async fn overtime(limit: Option<Duration>) -> Duration {
    let Some(limit) = limit else { return std::future::pending().await };
    tokio::time::sleep(limit).await;
    limit
}

/// Waits until the lease is about to end unrenewed; for ever when nothing follows from that.
async fn lost(lease: &mut tokio::sync::watch::Receiver<LeaseEnd>, matters: bool) {
    if !matters {
        std::future::pending::<()>().await;
    }
    loop {
        let left = lease.borrow_and_update().left().saturating_sub(LEASE_MARGIN);
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK)) => {}
            changed = lease.changed() => if changed.is_err() { return },
        }
    }
}

fn code(exit: Exit) -> Option<i32> {
    match exit {
        Exit::Code(code) => Some(code),
        Exit::Signal(_) => None,
    }
}

/// What the job's own log must say about processes that are still there.
fn remark(granted: &Granted, sweep: &Sweep) -> Option<String> {
    if *sweep != Sweep::default() {
        tracing::info!(job.id = %granted.job, ?sweep, "ended what the robot had left behind");
    }
    let mut text = String::new();
    if !sweep.survivors.is_empty() {
        tracing::error!(job.id = %granted.job, survivors = ?sweep.survivors, "processes of a job could not be killed");
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[… processes of this job that could not be killed: {} …]\n", show(&sweep.survivors));
    }
    if !sweep.undecided.is_empty() {
        let shown = show(&sweep.undecided);
        let _ = write!(
            text,
            "\n[… processes left alone, because another job, or no job at all, may have started them: {shown} …]\n"
        );
    }
    (!text.is_empty()).then_some(text)
}

/// Why a job that was to be over is not, for the people who look at it.
pub(super) fn remark_on_survivors(survivors: &[SweptProcess]) -> String {
    if survivors.is_empty() {
        return "\n[… this job is not over: its worker cannot look whether processes of it live (no file handle is free, say). It \
                tries again every 2 s, and the job keeps its slot until then …]\n"
            .to_owned();
    }
    format!(
        "\n[… this job is not over, and keeps a slot of its worker: processes of it do not end: {}. The worker kills them again every \
         2 s. Look at them on its machine (ps -fp PID). One of another user: end it as root (kill -9 PID). One in state D waits for a disk \
         or a network drive: it ends when that answers, or when the machine starts anew. One that somebody starts again: stop who does …]\n",
        show(survivors)
    )
}

/// Names and numbers, as many as people read.
fn show(processes: &[SweptProcess]) -> String {
    const MOST: usize = 20;
    let shown = processes.iter().take(MOST).map(|process| format!("{} ({})", process.name, process.identity.pid));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if processes.len() > MOST {
        let _ = write!(text, " and {} more", processes.len() - MOST);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(orders: Orders, cause: Cause, exit: Option<Exit>) -> &'static str {
        outcome(orders, cause, exit).name
    }

    #[test]
    fn the_end_is_named_after_its_strongest_cause() {
        let stop = Orders { stop: true, ..Orders::default() };
        let killed = Orders { kill: true, ..stop };
        let aborted = Orders { abort: true, ..killed };
        let (well, badly) = (Some(Exit::Code(0)), Some(Exit::Signal(9)));
        let limit = Duration::from_secs(1);
        assert_eq!(name(stop, Cause::Ordered, well), "DONE");
        assert_eq!(name(stop, Cause::Ordered, badly), "FAILED");
        assert_eq!(name(killed, Cause::Ordered, well), "KILLED");
        assert_eq!(name(aborted, Cause::Ordered, badly), "KILLED");
        assert_eq!(name(Orders::default(), Cause::Lost, badly), "FAILED");
        assert_eq!(name(killed, Cause::TimedOut(limit), badly), "TIMED_OUT");
    }

    #[test]
    fn the_grace_is_the_one_of_the_strongest_order() {
        let policies =
            Policies { stop_grace: Duration::from_secs(10), kill_grace: Duration::from_secs(3), ..Policies::default() };
        let stop = Orders { stop: true, ..Orders::default() };
        assert_eq!(grace(&policies, stop), policies.stop_grace);
        assert_eq!(grace(&policies, Orders { kill: true, ..stop }), policies.kill_grace);
        assert_eq!(grace(&policies, Orders { kill: true, abort: true, ..stop }), Duration::ZERO);
        assert_eq!(grace(&policies, Orders { gone: true, ..stop }), Duration::ZERO);
    }
}

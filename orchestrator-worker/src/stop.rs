//! What tells the agent to end.

use orchestrator_worker::agent::Stopping;
use orchestrator_worker::signals::Signals;

/// The first signal asks for an orderly end, the second for a quick one.
pub(crate) async fn stop_on_signals(stopping: Stopping) {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be heard: the agent ends only by being killed");
            return;
        }
    };
    signals.next().await;
    stopping.soft.cancel();
    signals.next().await;
    stopping.hard.cancel();
}

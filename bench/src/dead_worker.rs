//! From the death of a worker to the knowledge that its job is lost.

use std::time::Duration;

use anyhow::ensure;
use orchestrator_proto::v1;

use crate::machine::Machine;
use crate::{kill, stamp};

/// The longest that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Kills the worker while a robot runs, and waits until its job is LOST. The worker is gone after that.
pub(crate) async fn until_lost(machine: &mut Machine) -> anyhow::Result<Duration> {
    let job = kill::running(machine, "left-alone").await?;
    let began = stamp::now();
    machine.kill_worker();
    loop {
        let request = machine.request(v1::GetJobRequest { job: job.clone() })?;
        let status = machine.jobs().get(request).await?.into_inner().job.unwrap_or_default().status;
        let passed = stamp::now().saturating_sub(began);
        if status == "LOST" {
            return Ok(passed);
        }
        ensure!(passed < PATIENCE, "the job of a killed worker is {status} after {} s", passed.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! Thousands of triggers that are due at one instant: how long until the last one is a job.

use std::time::Duration;

use anyhow::ensure;
use orchestrator_proto::v1;
use v1::admin_service_client::AdminServiceClient;

use crate::machine::Machine;
use crate::{latency, stamp};

/// The longest that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Creates the triggers, which name a worker that is not there, and waits until all are jobs.
pub(crate) async fn until_all_are_jobs(machine: &Machine, count: usize) -> anyhow::Result<Duration> {
    let due = stamp::now() + Duration::from_millis(8 * count as u64 + 2000);
    for number in 0..count {
        let mut trigger = latency::single(machine, &format!("same-{number}"), stamp::PROCESS_NAME, due)?;
        trigger.worker_whitelist = vec!["nobody".to_owned()];
        let request = v1::CreateTriggerRequest { trigger: Some(trigger), ..Default::default() };
        machine.triggers().create(machine.request(request)?).await?;
    }
    let left = due.saturating_sub(stamp::now());
    ensure!(!left.is_zero(), "creating {count} triggers took longer than was allowed for");
    tokio::time::sleep(left).await;
    loop {
        let request = machine.request(v1::GetStatusRequest {})?;
        let status = AdminServiceClient::new(machine.channel()).get_status(request).await?.into_inner();
        let passed = stamp::now().saturating_sub(due);
        if status.jobs_queued as usize >= count {
            return Ok(passed);
        }
        ensure!(passed < PATIENCE, "{} of {count} triggers are jobs after {} s", status.jobs_queued, passed.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

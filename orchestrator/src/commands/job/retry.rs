//! `job retry`: a robot runs once more, for what it may have done already.

use orchestrator_core::job::JobStatus;
use orchestrator_proto::v1 as pb;

use crate::app::App;
use crate::call::with_request_id;
use crate::error::Result;
use crate::output::Single as _;

pub(super) async fn retry(app: &App, job: &str) -> Result {
    let client = app.connect().await?;
    let reply = client.jobs().get(pb::GetJobRequest { job: job.to_owned() }).await?.into_inner();
    let ended = reply.get()?;
    if let Some(question) = question(ended) {
        app.confirm(&question)?;
    }
    let request = |call| pb::RetryJobRequest { job: ended.id.clone(), call: Some(call) };
    let reply = with_request_id(async |call| client.jobs().retry(request(call)).await).await?;
    let new = reply.get()?;
    app.printer.done(&reply, &new.id, &format!("Job {} of trigger \"{}\" is {}.", new.id, new.trigger_name, new.status))
}

/// What is asked before work is done twice: after a robot that was done with it, and where someone retried the job before, as when
/// one list of jobs is given to this command twice.
fn question(job: &pb::Job) -> Option<String> {
    let what = format!("Job {} of trigger \"{}\"", job.id, job.trigger_name);
    if !job.retried_as.is_empty() {
        return Some(format!("{what} was retried before, as job {}. Run it once more?", job.retried_as));
    }
    (job.status == JobStatus::Done.as_str()).then(|| format!("{what} is DONE. Run it once more?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_may_be_done_twice_is_asked_about() {
        let of = |status: &str, retried_as: &str| {
            let (id, status, retried_as) = ("7".to_owned(), status.to_owned(), retried_as.to_owned());
            question(&pb::Job { id, trigger_name: "pay".to_owned(), status, retried_as, ..pb::Job::default() })
        };
        for status in ["FAILED", "TIMED_OUT", "KILLED", "CANCELLED"] {
            assert_eq!(of(status, ""), None, "{status}");
        }
        assert_eq!(of("DONE", "").as_deref(), Some("Job 7 of trigger \"pay\" is DONE. Run it once more?"));
        assert!(of("FAILED", "8").unwrap().contains("retried before, as job 8."));
    }
}

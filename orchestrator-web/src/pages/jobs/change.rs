//! What operators do with a job.

use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use crate::error::PageError;
use crate::link::encoded;
use crate::pages::confirm::Question;
use crate::text::{short_id, shown_in_line};
use crate::viewer::Viewer;

async fn ask(viewer: &Viewer, job: String, verb: &str, consequence: &str) -> Result<Response, PageError> {
    let job = viewer.jobs()?.get(v1::GetJobRequest { job }).await?.into_inner().job.unwrap_or_default();
    let name = format!("{} {}", shown_in_line(&job.process_name), short_id(&job.id));
    let link = format!("/jobs/{}", encoded(&job.id));
    viewer.ask(Question {
        tab: "/jobs",
        text: format!("{verb} job {name}?"),
        consequence: consequence.to_owned(),
        action: format!("{link}/{}", verb.to_lowercase()),
        submit: format!("{verb} job {}", short_id(&job.id)),
        back: link,
    })
}

/// `GET /jobs/{job}/kill`
pub(crate) async fn ask_kill(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let consequence = "The robot and everything it started are killed. A job that still waits is cancelled. The trigger goes \
                       on with its schedule.";
    ask(&viewer, job, "Kill", consequence).await
}

/// `POST /jobs/{job}/kill`
pub(crate) async fn kill(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let job = viewer.jobs()?.kill(v1::KillJobRequest { job }).await?.into_inner().job.unwrap_or_default();
    let word = match job.status.as_str() {
        "CANCELLED" => "was cancelled",
        "KILLED" => "was killed",
        _ => "is being killed",
    };
    viewer.done(&format!("Job {} {word}.", short_id(&job.id)), &format!("/jobs/{}", encoded(&job.id)))
}

/// `GET /jobs/{job}/dismiss`
pub(crate) async fn ask_dismiss(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let consequence = "Do this when you know that its robot is gone: the job ends as failed, what it held is released, and \
                       the next run of its trigger may start.";
    ask(&viewer, job, "Dismiss", consequence).await
}

/// `POST /jobs/{job}/dismiss`
pub(crate) async fn dismiss(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let job = viewer.jobs()?.dismiss(v1::DismissJobRequest { job }).await?.into_inner().job.unwrap_or_default();
    viewer.done(&format!("Job {} ended as failed.", short_id(&job.id)), &format!("/jobs/{}", encoded(&job.id)))
}

/// `GET /jobs/{job}/retry`: before work is done twice.
pub(crate) async fn ask_retry(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let job = viewer.jobs()?.get(v1::GetJobRequest { job }).await?.into_inner().job.unwrap_or_default();
    let before = if job.retried_as.is_empty() {
        format!("It is {} and may have done its work.", job.status)
    } else {
        format!("It was run again before, as job {}.", short_id(&job.retried_as))
    };
    let link = format!("/jobs/{}", encoded(&job.id));
    viewer.ask(Question {
        tab: "/jobs",
        text: format!("Run job {} {} once more?", shown_in_line(&job.process_name), short_id(&job.id)),
        consequence: format!("{before} A new job does the same with the same arguments."),
        action: format!("{link}/retry"),
        submit: format!("Run job {} again", short_id(&job.id)),
        back: link,
    })
}

/// `POST /jobs/{job}/retry`
pub(crate) async fn retry(viewer: Viewer, Path(job): Path<String>) -> Result<Response, PageError> {
    let request = v1::RetryJobRequest { job, call: None };
    let job = viewer.jobs()?.retry(request).await?.into_inner().job.unwrap_or_default();
    let message = format!("Job {} was made from it and waits for a worker.", short_id(&job.id));
    Ok(viewer.moved_with(&format!("/jobs/{}", encoded(&job.id)), &message))
}

//! Workers, which OpenOrchestrator calls schedulers: who is there, and what they do.

pub(crate) mod enroll;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use orchestrator_proto::v1;

use crate::chrome::Chrome;
use crate::error::PageError;
use crate::link::{Link, encoded};
use crate::pages::confirm::Question;
use crate::status::{Badge, badge};
use crate::text::shown_in_line;
use crate::times::Stamp;
use crate::viewer::Viewer;

const PATH: &str = "/workers";

#[derive(Debug, Template)]
#[template(path = "workers/list.html", blocks = ["list"])]
struct Page {
    chrome: Chrome,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    link: String,
    state: Badge,
    last_connection: Stamp,
    latest_trigger: String,
    latest_at: Stamp,
    active: u32,
    slots: u32,
    /// The jobs that it holds.
    jobs_link: String,
    jobs: Vec<JobLink>,
    is_exclusive: bool,
    version: String,
    /// Why it takes nothing for now; empty when nothing is wrong.
    trouble: String,
    can_drain: bool,
    can_resume: bool,
    can_remove: bool,
}

#[derive(Debug)]
struct JobLink {
    process: String,
    link: String,
}

impl Row {
    fn new(worker: &v1::Worker, jobs: &[v1::Job], viewer: &Viewer) -> Self {
        let jobs = jobs.iter().filter(|job| job.worker_name == worker.name).map(|job| JobLink {
            process: shown_in_line(&job.process_name),
            link: format!("/jobs/{}", encoded(&job.id)),
        });
        let is_gone = matches!(worker.state.as_str(), "STOPPED" | "LOST");
        Self {
            id: encoded(&worker.name),
            name: shown_in_line(&worker.name),
            link: format!("{PATH}/{}", encoded(&worker.name)),
            state: state_of(worker),
            last_connection: viewer.stamp(worker.last_heartbeat),
            latest_trigger: shown_in_line(&worker.latest_trigger),
            latest_at: viewer.stamp(worker.latest_trigger_time),
            active: worker.active_jobs,
            slots: worker.slots,
            jobs_link: Link::to("/jobs").with("worker", &worker.name).with("status", "active").into_string(),
            jobs: jobs.collect(),
            is_exclusive: worker.exclusive,
            version: shown_in_line(&worker.version),
            trouble: shown_in_line(&worker.trouble),
            can_drain: viewer.can_operate() && worker.state == "UP",
            can_resume: viewer.can_operate() && worker.state == "DRAINING",
            can_remove: viewer.can_administer() && is_gone && worker.active_jobs == 0,
        }
    }
}

/// What a worker is. One that is up and can start nothing is not well.
fn state_of(worker: &v1::Worker) -> Badge {
    let state = badge(&worker.state);
    if worker.state == "UP" && !worker.trouble.is_empty() { Badge { look: "alarm", ..state } } else { state }
}

/// `GET /workers`
pub(crate) async fn show(viewer: Viewer) -> Result<Response, PageError> {
    let workers = viewer.admin()?.list_workers(v1::ListWorkersRequest {}).await?.into_inner().workers;
    let request = v1::ListJobsRequest {
        page: Some(v1::Page { limit: 1000, cursor: String::new() }),
        statuses: ["ASSIGNED", "RUNNING", "LOST"].map(str::to_owned).to_vec(),
        ..v1::ListJobsRequest::default()
    };
    let jobs = viewer.jobs()?.list(request).await?.into_inner().jobs;
    let rows = workers.iter().map(|worker| Row::new(worker, &jobs, &viewer)).collect();
    let page = Page { chrome: viewer.chrome(PATH, "Workers"), rows };
    viewer.live(&page, &page.as_list(), PATH)
}

/// `POST /workers/{worker}/drain`
pub(crate) async fn drain(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.admin()?.drain_worker(v1::DrainWorkerRequest { name: name.clone() }).await?;
    viewer.done(&format!("Worker {name} takes nothing new."), PATH)
}

/// `POST /workers/{worker}/resume`
pub(crate) async fn resume(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.admin()?.resume_worker(v1::ResumeWorkerRequest { name: name.clone() }).await?;
    viewer.done(&format!("Worker {name} takes jobs again."), PATH)
}

/// `GET /workers/{worker}/remove`
pub(crate) async fn ask_remove(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    let shown = shown_in_line(&name);
    viewer.ask(Question {
        tab: PATH,
        text: format!("Remove worker {shown}?"),
        consequence: "It leaves the list. Its token stays valid: the worker is back when it connects again.".to_owned(),
        action: format!("{PATH}/{}/remove", encoded(&name)),
        submit: format!("Remove worker {shown}"),
        back: PATH.to_owned(),
    })
}

/// `POST /workers/{worker}/remove`
pub(crate) async fn remove(viewer: Viewer, Path(name): Path<String>) -> Result<Response, PageError> {
    viewer.admin()?.remove_worker(v1::RemoveWorkerRequest { name: name.clone() }).await?;
    viewer.done(&format!("Worker {name} was removed."), PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_can_start_nothing_is_not_shown_as_well() {
        let look = |state: &str, trouble: &str| {
            let (state, trouble) = (state.to_owned(), trouble.to_owned());
            state_of(&v1::Worker { state, trouble, ..v1::Worker::default() }).look
        };
        assert_eq!((look("UP", ""), look("UP", "no space")), ("done", "alarm"));
        assert_eq!(look("DRAINING", "no space"), "paused");
    }
}

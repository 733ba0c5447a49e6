//! What a cron expression means and when it is due next, while it is typed.

use askama::Template;
use axum::response::Response;
use orchestrator_proto::v1;
use tonic::Code;

use crate::error::{PageError, sentence};
use crate::form::Query;
use crate::times::Stamp;
use crate::viewer::Viewer;

/// How many runs are shown.
const COUNT: u32 = 5;

#[derive(Debug, Template)]
#[template(path = "triggers/preview.html")]
pub(super) struct Preview {
    pub(super) sentence: String,
    pub(super) zone: String,
    pub(super) runs: Vec<Stamp>,
    pub(super) fault: Option<String>,
}

impl Preview {
    fn new(answer: v1::PreviewScheduleResponse, viewer: &Viewer) -> Self {
        // In the zone of the trigger, where six o'clock is six o'clock.
        let zone = answer.time_zone.parse().unwrap_or(viewer.zone);
        let runs = answer.instants.into_iter().map(|at| Stamp::new(Some(at), viewer.now, zone)).collect();
        Self { sentence: sentence(&answer.description), zone: zone.name().to_owned(), runs, fault: None }
    }
}

/// `GET /triggers/preview?cron_expr=&time_zone=`
pub(crate) async fn show(viewer: Viewer, Query(query): Query) -> Result<Response, PageError> {
    let cron_expr = query.trimmed("cron_expr").to_owned();
    let nothing = Preview { sentence: String::new(), zone: String::new(), runs: Vec::new(), fault: None };
    if cron_expr.is_empty() {
        return viewer.page(&nothing);
    }
    let time_zone = query.trimmed("time_zone").to_owned();
    let request =
        v1::PreviewScheduleRequest { cron_expr, time_zone, count: COUNT, ..v1::PreviewScheduleRequest::default() };
    match viewer.triggers()?.preview_schedule(request).await {
        Ok(answer) => viewer.page(&Preview::new(answer.into_inner(), &viewer)),
        // Half an expression is no failure of the page.
        Err(status) if status.code() == Code::InvalidArgument => {
            viewer.page(&Preview { fault: Some(sentence(status.message())), ..nothing })
        }
        Err(status) => Err(status.into()),
    }
}

/// The next runs of a trigger that exists.
pub(super) async fn of(viewer: &Viewer, trigger: &str) -> Result<Preview, PageError> {
    let request = v1::PreviewScheduleRequest {
        trigger: trigger.to_owned(),
        count: COUNT,
        ..v1::PreviewScheduleRequest::default()
    };
    Ok(Preview::new(viewer.triggers()?.preview_schedule(request).await?.into_inner(), viewer))
}

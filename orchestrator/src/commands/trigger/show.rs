//! `trigger list` and `trigger show`.

use orchestrator_proto::v1 as pb;

use super::ListArgs;
use crate::app::App;
use crate::arguments::pages;
use crate::error::Result;
use crate::output::{self, Single as _};

/// How many decisions not to run are shown with a trigger.
const DECISIONS: u32 = 5;

pub(super) async fn list(app: &App, args: ListArgs) -> Result {
    let client = app.connect().await?;
    let request = pb::ListTriggersRequest {
        page: None,
        search: args.search,
        status: args.status.to_uppercase(),
        r#type: args.kind.to_uppercase(),
        ..pb::ListTriggersRequest::default()
    };
    let (triggers, next_cursor) = pages(&args.paging, async |page| {
        let request = pb::ListTriggersRequest { page: Some(page), ..request.clone() };
        let reply = client.triggers().list(request).await?.into_inner();
        Ok((reply.triggers, reply.next_cursor))
    })
    .await?;
    app.printer.list(&pb::ListTriggersResponse { triggers, next_cursor })
}

pub(super) async fn show(app: &App, trigger: String) -> Result {
    let client = app.connect().await?;
    let reply = client.triggers().get(pb::GetTriggerRequest { trigger }).await?.into_inner();
    app.printer.single(&reply)?;
    if app.printer.is_for_people() {
        let page = pb::Page { limit: DECISIONS, cursor: String::new() };
        let request = pb::ListDecisionsRequest { trigger: reply.get()?.id.clone(), page: Some(page) };
        let decisions = client.triggers().list_decisions(request).await?.into_inner().decisions;
        if !decisions.is_empty() {
            let text = format!("\nInstants that did not run, newest first:\n{}", app.printer.rows(&decisions));
            output::stdout_line(&text)?;
        }
    }
    Ok(())
}

//! "Did you mean": what there is, when something that was named is not.

use orchestrator_proto::v1 as pb;
use tonic::Status;

use crate::app::App;
use crate::connection::Client;
use crate::error::{CliError, MEANT, Refusal, closest};

/// Adds the name that may have been meant to a refusal because there is no such thing.
pub(super) async fn improve(app: &App, error: CliError) -> CliError {
    let CliError::Refused(mut refusal) = error else { return error };
    if let Some(meant) = meant(app, &refusal).await {
        refusal.metadata.insert(MEANT.to_owned(), meant);
    }
    CliError::Refused(refusal)
}

async fn meant(app: &App, refusal: &Refusal) -> Option<String> {
    let typed = refusal.metadata.get("key").filter(|_| refusal.kind == tonic::Code::NotFound)?;
    let client = app.connect().await.ok()?;
    let names = names(&client, &refusal.reason).await.ok()?;
    closest(typed, names.iter().map(String::as_str)).map(str::to_owned)
}

/// The names of what there is of the kind that was not found.
async fn names(client: &Client, reason: &str) -> Result<Vec<String>, Status> {
    let page = || Some(pb::Page { limit: 1000, cursor: String::new() });
    Ok(match reason {
        "TRIGGER_NOT_FOUND" => {
            let request = pb::ListTriggersRequest { page: page(), ..pb::ListTriggersRequest::default() };
            let reply = client.triggers().list(request).await?.into_inner();
            reply.triggers.into_iter().map(|trigger| trigger.name).collect()
        }
        "CONSTANT_NOT_FOUND" => {
            let reply = client.constants().list(pb::ListConstantsRequest { page: page() }).await?.into_inner();
            reply.constants.into_iter().map(|constant| constant.name).collect()
        }
        "CREDENTIAL_NOT_FOUND" => {
            let reply = client.credentials().list(pb::ListCredentialsRequest { page: page() }).await?.into_inner();
            reply.credentials.into_iter().map(|credential| credential.name).collect()
        }
        "WORKER_NOT_FOUND" => {
            let reply = client.admin().list_workers(pb::ListWorkersRequest {}).await?.into_inner();
            reply.workers.into_iter().map(|worker| worker.name).collect()
        }
        "QUEUE_NOT_FOUND" => {
            let reply = client
                .queues()
                .list_queues(pb::ListQueuesRequest { page: page(), ..Default::default() })
                .await?
                .into_inner();
            reply.queues.into_iter().map(|queue| queue.queue_name).collect()
        }
        _ => Vec::new(),
    })
}

//! `queue element add`.

use clap::Args;
use orchestrator_core::id::ElementId;
use orchestrator_proto::v1 as pb;

use super::super::known;
use crate::app::App;
use crate::call::repeatable;
use crate::error::Result;
use crate::output::Single as _;

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The queue.
    queue: String,
    /// What people search for.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reference: Option<String>,
    /// What the robot needs to know.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data: Option<String>,
    /// Who or what added it.
    #[arg(long, value_name = "WHO")]
    created_by: Option<String>,
}

pub(super) async fn add(app: &App, args: AddArgs) -> Result {
    let element = pb::NewElement {
        // Made here, so that a repeated call is no second element.
        id: ElementId::generate().to_string(),
        reference: args.reference,
        data: args.data,
        created_by: args.created_by,
    };
    let client = app.connect().await?;
    let request =
        |repeat| pb::CreateElementRequest { queue_name: args.queue.clone(), element: Some(element.clone()), repeat };
    let new = known::is_new(&client, &args.queue).await?;
    let reply = repeatable(async |repeat| client.queues().create(request(repeat)).await).await?;
    let created = reply.get()?;
    if let Some(new) = new {
        new.tell(app);
    }
    app.printer.done(&reply, &created.id, &format!("Element {} is in queue \"{}\".", created.id, created.queue_name))
}

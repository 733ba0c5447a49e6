//! `queue element claim`.

use std::time::Duration;

use clap::Args;
use orchestrator_proto::v1 as pb;

use super::super::known;
use crate::app::App;
use crate::arguments::{duration, duration_to_wire};
use crate::call::with_request_id;
use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct ClaimArgs {
    /// The queue.
    queue: String,
    /// Only elements with exactly this reference.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reference: Option<String>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Take them back when they have not ended after this time; never unless given. They are new again while their queue grants
    /// another attempt (queue set --max-attempts), and abandoned else.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lease: Option<Duration>,
    /// Look without taking.
    #[arg(long)]
    peek: bool,
}

pub(super) async fn claim(app: &App, args: ClaimArgs) -> Result {
    let client = app.connect().await?;
    let request = |call| pb::ClaimElementsRequest {
        queue_name: args.queue.clone(),
        reference: args.reference.clone(),
        count: args.count,
        lease: args.lease.map(duration_to_wire),
        peek: args.peek,
        call: Some(call),
        complete: Vec::new(),
    };
    let reply = with_request_id(async |call| client.queues().claim(request(call)).await).await?;
    if reply.elements.is_empty() {
        known::expect(&client, &args.queue).await?;
    }
    app.printer.list(&reply)
}

//! Eight clients drain one queue.

use std::collections::BTreeSet;

use anyhow::Result;
use orchestrator_tests::{Api, World, on_both_databases, pb};
use tokio::task::JoinSet;
use uuid::Uuid;

on_both_databases!(eight_clients_drain_a_queue_and_every_element_is_handed_out_once);

const ELEMENTS: usize = 5_000;
const CLIENTS: usize = 8;

async fn eight_clients_drain_a_queue_and_every_element_is_handed_out_once(world: &World) -> Result<()> {
    world.fill("work", ELEMENTS).await;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        // Half of them take one at a time, half take a few.
        let count = if client % 2 == 0 { 1 } else { 7 };
        clients.spawn(drain(world.api(), count));
    }
    let mut handed_out = Vec::new();
    let mut idle = 0;
    while let Some(taken) = clients.join_next().await {
        let taken = taken??;
        idle += usize::from(taken.is_empty());
        handed_out.extend(taken);
    }
    let distinct: BTreeSet<&String> = handed_out.iter().collect();
    assert_eq!((handed_out.len(), distinct.len()), (ELEMENTS, ELEMENTS), "each exactly once");
    assert_eq!(idle, 0, "every client got some");
    let queue = world.queue("work").await?;
    assert_eq!((queue.new_count, queue.in_progress_count, queue.done_count), (0, 0, i64::try_from(ELEMENTS)?));
    Ok(())
}

async fn drain(api: Api, count: u32) -> Result<Vec<String>> {
    let mut taken = Vec::new();
    loop {
        let request = pb::ClaimElementsRequest {
            queue_name: "work".to_owned(),
            count,
            call: Some(pb::Call { request_id: Uuid::new_v4().to_string(), repeat: false }),
            ..pb::ClaimElementsRequest::default()
        };
        let elements = api.queues().claim(request).await?.into_inner().elements;
        if elements.is_empty() {
            return Ok(taken);
        }
        for element in elements {
            let request = pb::SetElementStatusRequest {
                element: element.id.clone(),
                status: "DONE".to_owned(),
                message: None,
                lease_token: Some(element.lease_token),
            };
            api.queues().set_status(request).await?;
            taken.push(element.id);
        }
    }
}

//! What is here already.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::clock::{Clock as _, SystemClock};
use orchestrator_core::same_name;
use orchestrator_proto::v1 as pb;

use super::source::Source;
use crate::arguments::{Paging, pages};
use crate::connection::Client;
use crate::error::Result;
use crate::output::instant;

const ALL: Paging<0> = Paging { limit: Some(0), cursor: String::new() };

/// What an import may meet.
#[derive(Debug, Default)]
pub(super) struct Existing {
    /// The server's zone, for what names none.
    pub(super) zone: String,
    pub(super) now: orchestrator_core::clock::Timestamp,
    /// Names by id.
    pub(super) triggers: BTreeMap<String, String>,
    /// Values by name.
    pub(super) constants: BTreeMap<String, String>,
    /// User names by name.
    pub(super) credentials: BTreeMap<String, String>,
    pub(super) workers: BTreeSet<String>,
    /// Ids of the elements of the queues that the file has elements for.
    pub(super) elements: BTreeSet<String>,
}

impl Existing {
    /// The constant that robots could not tell from one of this name, with its value.
    pub(super) fn constant(&self, name: &str) -> Option<(&String, &String)> {
        same(&self.constants, name)
    }

    /// The credential that robots could not tell from one of this name, with its user name.
    pub(super) fn credential(&self, name: &str) -> Option<(&String, &String)> {
        same(&self.credentials, name)
    }
}

fn same<'a>(named: &'a BTreeMap<String, String>, name: &str) -> Option<(&'a String, &'a String)> {
    let key = same_name::key(name);
    let same = || named.iter().find(|(there, _)| same_name::key(there) == key);
    named.get_key_value(name).or_else(same)
}

pub(super) async fn look(client: &Client, source: &Source) -> Result<Existing> {
    let status = client.admin().get_status(pb::GetStatusRequest {}).await?.into_inner();
    let (triggers, _) = pages(&ALL, async |page| {
        let request = pb::ListTriggersRequest { page: Some(page), ..pb::ListTriggersRequest::default() };
        let reply = client.triggers().list(request).await?.into_inner();
        Ok((reply.triggers, reply.next_cursor))
    })
    .await?;
    let (constants, _) = pages(&ALL, async |page| {
        let reply = client.constants().list(pb::ListConstantsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.constants, reply.next_cursor))
    })
    .await?;
    let (credentials, _) = pages(&ALL, async |page| {
        let reply = client.credentials().list(pb::ListCredentialsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.credentials, reply.next_cursor))
    })
    .await?;
    let mut elements = BTreeSet::new();
    for queue in source.elements.iter().map(|element| element.queue_name.as_str()).collect::<BTreeSet<_>>() {
        let (known, _) = pages(&ALL, async |page| {
            let queue_name = queue.to_owned();
            let request =
                pb::ListElementsRequest { queue_name, page: Some(page), ..pb::ListElementsRequest::default() };
            let reply = client.queues().list(request).await?.into_inner();
            Ok((reply.elements, reply.next_cursor))
        })
        .await?;
        elements.extend(known.into_iter().map(|element| element.id));
    }
    let workers = client.admin().list_workers(pb::ListWorkersRequest {}).await?.into_inner().workers;
    Ok(Existing {
        zone: status.time_zone,
        now: instant(status.now.as_ref()).unwrap_or_else(|| SystemClock.now()),
        triggers: triggers.into_iter().map(|trigger| (trigger.id, trigger.name)).collect(),
        constants: constants.into_iter().map(|constant| (constant.name, constant.value)).collect(),
        credentials: credentials.into_iter().map(|credential| (credential.name, credential.username)).collect(),
        workers: workers.into_iter().map(|worker| worker.name).collect(),
        elements,
    })
}

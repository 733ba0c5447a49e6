//! `export`: what people have set up, as one document to read, to compare and to keep under version control.
//!
//! What changes by itself is left out, so that two exports differ only where somebody changed something. There are no
//! passwords in it; a copy to start again from is made with `db backup`.

use std::path::PathBuf;

use clap::Args;
use orchestrator_core::source::mask_credentials;
use orchestrator_proto::v1 as pb;
use serde_json::{Value, json};

use crate::app::App;
use crate::arguments::{Paging, pages};
use crate::commands::queue::all_queues;
use crate::connection::Client;
use crate::error::{CliError, Result};
use crate::output::{Reply, stdout_line, to_line};

/// What triggers carry that nobody sets.
const OF_TRIGGERS: &[&str] =
    &["id", "type", "status", "nextRun", "lastRun", "consecutiveFailures", "createdAt", "updatedAt"];
const OF_QUEUES: &[&str] = &[
    "newCount",
    "inProgressCount",
    "doneCount",
    "failedCount",
    "abandonedCount",
    "oldestNewAt",
    "doneLastHourCount",
    "depths",
];
const OF_OTHERS: &[&str] = &["changedAt", "changedBy"];

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file to write; standard output unless given. One that is there is replaced.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: ExportArgs, app: &App) -> Result {
    let text = format!("{:#}", document(&app.connect().await?).await?);
    let Some(file) = args.file else { return stdout_line(&text) };
    std::fs::write(&file, format!("{text}\n")).map_err(CliError::file("write", &file))?;
    app.printer.note(&format!("Written to {}.", file.display()));
    Ok(())
}

async fn document(client: &Client) -> Result<Value> {
    let all = Paging::<0> { limit: Some(0), cursor: String::new() };
    let (triggers, _) = pages(&all, async |page| {
        let request = pb::ListTriggersRequest { page: Some(page), ..Default::default() };
        let reply = client.triggers().list(request).await?.into_inner();
        Ok((reply.triggers, reply.next_cursor))
    })
    .await?;
    let (constants, _) = pages(&all, async |page| {
        let reply = client.constants().list(pb::ListConstantsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.constants, reply.next_cursor))
    })
    .await?;
    let (credentials, _) = pages(&all, async |page| {
        let reply = client.credentials().list(pb::ListCredentialsRequest { page: Some(page) }).await?.into_inner();
        Ok((reply.credentials, reply.next_cursor))
    })
    .await?;
    let queues = pb::ListQueuesResponse { queues: all_queues(client).await?, ..Default::default() };
    let list = |triggers| pb::ListTriggersResponse { triggers, ..Default::default() };
    Ok(json!({
        "triggers": kept(&list(triggers), "triggers", OF_TRIGGERS)?,
        "queues": kept(&queues, "queues", OF_QUEUES)?,
        "constants": kept(&pb::ListConstantsResponse { constants, ..Default::default() }, "constants", OF_OTHERS)?,
        "credentials":
            kept(&pb::ListCredentialsResponse { credentials, ..Default::default() }, "credentials", OF_OTHERS)?,
    }))
}

/// The items of a message's list, without some of their fields.
fn kept<M: Reply>(message: &M, list: &str, left_out: &[&str]) -> Result<Value> {
    let mut document: Value = serde_json::from_str(&to_line(message)?).unwrap_or_default();
    let mut items = document[list].take();
    for item in items.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        for field in left_out {
            item.remove(*field);
        }
        // The address of a repository may hold one.
        if let Some(Value::String(path)) = item.get_mut("processPath") {
            *path = mask_credentials(path);
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_repository_is_left_out() {
        let trigger = pb::Trigger { process_path: "https://bob:hunter2@h/x.git".to_owned(), ..Default::default() };
        let triggers = pb::ListTriggersResponse { triggers: vec![trigger], ..Default::default() };
        let kept = kept(&triggers, "triggers", OF_TRIGGERS).unwrap();
        assert_eq!(kept[0]["processPath"], "https://***@h/x.git");
    }

    #[test]
    fn what_changes_by_itself_is_left_out_and_nothing_is_secret() {
        let trigger = pb::Trigger {
            name: "night".to_owned(),
            status: "RUNNING".to_owned(),
            hold: "NONE".to_owned(),
            process_name: "Night".to_owned(),
            process_path: "night.py".to_owned(),
            kind: Some(pb::trigger::Kind::Single(pb::SingleKind::default())),
            last_run: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
            ..Default::default()
        };
        let credential = pb::Credential { name: "SAP".to_owned(), username: "svc".to_owned(), ..Default::default() };
        let queue = pb::Queue {
            queue_name: "letters".to_owned(),
            new_count: 3,
            max_attempts: 2,
            done_last_hour_count: Some(4),
            ..Default::default()
        };
        let triggers = pb::ListTriggersResponse { triggers: vec![trigger], ..Default::default() };
        let queues = pb::ListQueuesResponse { queues: vec![queue], ..Default::default() };
        let credentials = pb::ListCredentialsResponse { credentials: vec![credential], ..Default::default() };
        let document = json!([
            kept(&triggers, "triggers", OF_TRIGGERS).unwrap(),
            kept(&queues, "queues", OF_QUEUES).unwrap(),
            kept(&credentials, "credentials", OF_OTHERS).unwrap(),
        ]);
        insta::assert_snapshot!(format!("{document:#}"));
    }
}

//! `trigger copy`: a new trigger like another one.

use clap::Args;
use orchestrator_core::id::TriggerId;
use orchestrator_proto::v1 as pb;
use pb::trigger::Kind;

use super::create::send;
use super::edit::Changes;
use crate::app::App;
use crate::error::Result;
use crate::output::Single as _;

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The trigger to copy: its name, its id, or any unique end or beginning of the id.
    trigger: String,
    /// The name of the new one.
    name: String,
    /// Let it fire at once instead of creating it paused.
    #[arg(long)]
    enabled: bool,
    #[command(flatten)]
    changes: Changes,
}

pub(super) async fn copy(app: &App, args: CopyArgs) -> Result {
    let client = app.connect().await?;
    let request = pb::GetTriggerRequest { trigger: args.trigger };
    let original = client.triggers().get(request).await?.into_inner().get()?.clone();
    let at = args.changes.moment(&client, &original).await?;
    let copy = args.changes.applied_to(like(original, args.name), at, app.now)?;
    send(app, &client, copy, !args.enabled).await
}

/// What an administrator chose of it, and nothing of what has happened to it.
fn like(original: pb::Trigger, name: String) -> pb::Trigger {
    let kind = original.kind.map(|kind| match kind {
        // The next instant is computed anew.
        Kind::Scheduled(scheduled) => Kind::Scheduled(pb::ScheduledKind { next_run: None, ..scheduled }),
        other => other,
    });
    pb::Trigger {
        id: TriggerId::generate().to_string(),
        name,
        process_name: original.process_name,
        process_path: original.process_path,
        process_args: original.process_args,
        is_git_repo: original.is_git_repo,
        git_branch: original.git_branch,
        entry_point: original.entry_point,
        is_blocking: original.is_blocking,
        priority: original.priority,
        worker_whitelist: original.worker_whitelist,
        policies: original.policies,
        kind,
        ..pb::Trigger::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_choices_and_none_of_the_history() {
        let original = pb::Trigger {
            id: "1".to_owned(),
            name: "night".to_owned(),
            status: "FAILED".to_owned(),
            hold: "FAILED".to_owned(),
            priority: 4,
            consecutive_failures: 3,
            updated_at: Some(prost_types::Timestamp::default()),
            kind: Some(Kind::Scheduled(pb::ScheduledKind {
                cron_expr: "0 6 * * *".to_owned(),
                time_zone: "UTC".to_owned(),
                next_run: Some(prost_types::Timestamp::default()),
            })),
            ..pb::Trigger::default()
        };
        let copy = like(original, "day".to_owned());
        assert_eq!((copy.name.as_str(), copy.priority, copy.consecutive_failures), ("day", 4, 0));
        assert!(copy.id != "1" && copy.status.is_empty() && copy.hold.is_empty() && copy.updated_at.is_none());
        assert!(
            matches!(copy.kind, Some(Kind::Scheduled(kind)) if kind.cron_expr == "0 6 * * *" && kind.next_run.is_none())
        );
    }
}

//! What runs, and when.

use chrono::{DateTime, Utc};
use orchestrator_core::id::TriggerId;
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::Error;
use crate::client::{mark, new_call, present};

service!(
    /// Triggers. A trigger is named by its name, its id, or any unique end or beginning (at least four characters) of its
    /// id.
    Triggers
);

/// New triggers. What these functions do not ask for is set on the message they return.
///
/// ```
/// use orchestrator_client::{pb, trigger};
///
/// let invoices = pb::Trigger {
///     is_git_repo: true,
///     worker_whitelist: vec!["robots-1".to_owned()],
///     ..trigger::on_queue("invoices", "Invoices", "https://git.example.org/invoices.git", "Invoices", 10)
/// };
/// assert_eq!(invoices.process_name, "Invoices");
/// ```
pub mod trigger {
    use super::{DateTime, Utc, pb, timestamp};

    /// Fires once, at this instant or as soon as possible.
    pub fn single(name: &str, process_name: &str, path: &str, at: Option<DateTime<Utc>>) -> pb::Trigger {
        let kind = pb::trigger::Kind::Single(pb::SingleKind { next_run: at.map(timestamp) });
        new(name, process_name, path, kind)
    }

    /// Fires by a cron expression, in the server's zone.
    pub fn scheduled(name: &str, process_name: &str, path: &str, cron_expr: &str) -> pb::Trigger {
        let kind = pb::ScheduledKind { cron_expr: cron_expr.to_owned(), ..pb::ScheduledKind::default() };
        new(name, process_name, path, pb::trigger::Kind::Scheduled(kind))
    }

    /// Fires when a queue has so many new elements.
    pub fn on_queue(name: &str, process_name: &str, path: &str, queue: &str, min_batch_size: u32) -> pb::Trigger {
        let kind = pb::QueueKind { queue_name: queue.to_owned(), min_batch_size, max_parallel: 1 };
        new(name, process_name, path, pb::trigger::Kind::Queue(kind))
    }

    fn new(name: &str, process_name: &str, path: &str, kind: pb::trigger::Kind) -> pb::Trigger {
        pb::Trigger {
            name: name.to_owned(),
            process_name: process_name.to_owned(),
            process_path: path.to_owned(),
            kind: Some(kind),
            ..pb::Trigger::default()
        }
    }
}

impl Triggers<'_> {
    /// All live triggers, by name.
    pub async fn list(&self) -> Result<Vec<pb::Trigger>, Error> {
        all_pages!(
            self.client,
            "/orchestrator.v1.TriggerService/List",
            pb::ListTriggersRequest::default(),
            pb::ListTriggersResponse,
            triggers,
            usize::MAX
        )
    }

    /// One trigger.
    pub async fn get(&self, trigger: &str) -> Result<pb::Trigger, Error> {
        let request = pb::GetTriggerRequest { trigger: trigger.to_owned() };
        let answer: pb::GetTriggerResponse = self.client.call("/orchestrator.v1.TriggerService/Get", request).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// Creates a trigger; see [`trigger`] for new ones.
    pub async fn create(&self, mut trigger: pb::Trigger) -> Result<pb::Trigger, Error> {
        if trigger.id.is_empty() {
            trigger.id = TriggerId::generate().to_string();
        }
        let request = pb::CreateTriggerRequest { trigger: Some(trigger), repeat: false, paused: false };
        let path = "/orchestrator.v1.TriggerService/Create";
        let answer: pb::CreateTriggerResponse =
            self.client.call_marked(path, request, |request| request.repeat = true).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// Replaces a trigger that was read, and changed since. Refused with
    /// [`Code::ChangedMeanwhile`](crate::Code::ChangedMeanwhile) when someone else has changed it, too.
    pub async fn update(&self, trigger: pb::Trigger) -> Result<pb::Trigger, Error> {
        let request = pb::UpdateTriggerRequest { trigger: Some(trigger) };
        let answer: pb::UpdateTriggerResponse =
            self.client.call("/orchestrator.v1.TriggerService/Update", request).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// Hides a trigger, cancels its waiting jobs and lets the rest end.
    pub async fn delete(&self, trigger: &str) -> Result<(), Error> {
        let request = pb::DeleteTriggerRequest { trigger: trigger.to_owned() };
        let path = "/orchestrator.v1.TriggerService/Delete";
        self.client.call_removing::<_, pb::DeleteTriggerResponse>(path, request).await.map(drop)
    }

    /// Ends a trigger's hold.
    pub async fn enable(&self, trigger: &str) -> Result<pb::Trigger, Error> {
        let request = pb::EnableTriggerRequest { trigger: trigger.to_owned(), next_run: None };
        let answer: pb::EnableTriggerResponse =
            self.client.call("/orchestrator.v1.TriggerService/Enable", request).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// Holds a trigger and cancels its waiting jobs.
    pub async fn disable(&self, trigger: &str) -> Result<pb::Trigger, Error> {
        let request = pb::DisableTriggerRequest { trigger: trigger.to_owned() };
        let answer: pb::DisableTriggerResponse =
            self.client.call("/orchestrator.v1.TriggerService/Disable", request).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// A job now, with the trigger's own arguments. A held trigger stays held.
    pub async fn run_now(&self, trigger: &str) -> Result<pb::Job, Error> {
        self.start(trigger, None).await
    }

    /// A job now, with these arguments.
    pub async fn run_now_with(&self, trigger: &str, process_args: &str) -> Result<pb::Job, Error> {
        self.start(trigger, Some(process_args.to_owned())).await
    }

    async fn start(&self, trigger: &str, process_args: Option<String>) -> Result<pb::Job, Error> {
        let request = pb::RunNowRequest { trigger: trigger.to_owned(), process_args, call: Some(new_call()) };
        let path = "/orchestrator.v1.TriggerService/RunNow";
        let answer: pb::RunNowResponse =
            self.client.call_marked(path, request, |request| mark(&mut request.call)).await?;
        present(self.client.url(), "job", answer.job)
    }

    /// Kills the jobs of a trigger and holds it.
    pub async fn kill(&self, trigger: &str) -> Result<pb::Trigger, Error> {
        let request = pb::KillTriggerRequest { trigger: trigger.to_owned() };
        let answer: pb::KillTriggerResponse = self.client.call("/orchestrator.v1.TriggerService/Kill", request).await?;
        present(self.client.url(), "trigger", answer.trigger)
    }

    /// The next instants of a cron expression; in the server's zone when none is given.
    pub async fn preview(
        &self,
        cron_expr: &str,
        time_zone: Option<&str>,
        count: u32,
    ) -> Result<Vec<DateTime<Utc>>, Error> {
        let request = pb::PreviewScheduleRequest {
            trigger: String::new(),
            cron_expr: cron_expr.to_owned(),
            time_zone: time_zone.unwrap_or_default().to_owned(),
            count,
            after: None,
        };
        let path = "/orchestrator.v1.TriggerService/PreviewSchedule";
        let answer: pb::PreviewScheduleResponse = self.client.call(path, request).await?;
        let instants = answer
            .instants
            .into_iter()
            .map(|instant| DateTime::from_timestamp(instant.seconds, u32::try_from(instant.nanos).unwrap_or_default()));
        present(self.client.url(), "an instant", instants.collect())
    }
}

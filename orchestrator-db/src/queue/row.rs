use chrono::{DateTime, Utc};
use orchestrator_core::id::{ElementId, JobId};
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::queue::{ElementStatus, ElementTimes, QueueElement};
use orchestrator_core::text::{CreatedBy, ElementData, Message, QueueName, Reference};
use uuid::Uuid;

use super::marks::Position;
use crate::answer::{Bulk, texts};
use crate::error::{Corrupt, RowAddress};

/// The columns of [`ElementRow`].
macro_rules! element_columns {
    () => {
        "id, queue_name, status, created_date, start_date, end_date, lease_token, lease_expires_at, parked, attempt, job_id, \
         reference, created_by, message, data"
    };
}
pub(super) use element_columns;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ElementRow {
    pub(super) id: Uuid,
    pub(super) queue_name: String,
    pub(super) status: String,
    pub(super) created_date: DateTime<Utc>,
    pub(super) start_date: Option<DateTime<Utc>>,
    pub(super) end_date: Option<DateTime<Utc>>,
    pub(super) lease_token: i64,
    pub(super) lease_expires_at: Option<DateTime<Utc>>,
    pub(super) parked: bool,
    pub(super) attempt: i64,
    pub(super) job_id: Option<Uuid>,
    pub(super) reference: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) message: Option<String>,
    pub(super) data: Option<String>,
}

impl ElementRow {
    /// Where it stands in the order of claims.
    pub(super) fn position(&self) -> Position {
        Position { created: self.created_date, id: self.id }
    }
}

/// What all of an element takes in an answer but its texts.
const BESIDE_TEXTS: usize = 300;

impl Bulk for ElementRow {
    fn bytes(&self) -> usize {
        BESIDE_TEXTS + self.queue_name.len() + texts([&self.reference, &self.created_by, &self.message, &self.data])
    }
}

impl Bulk for QueueElement {
    fn bytes(&self) -> usize {
        let length = |text: Option<&str>| text.map_or(0, str::len);
        BESIDE_TEXTS
            + self.queue_name.as_str().len()
            + length(self.reference.as_ref().map(AsRef::as_ref))
            + length(self.created_by.as_ref().map(AsRef::as_ref))
            + length(self.message.as_ref().map(AsRef::as_ref))
            + length(self.data.as_ref().map(AsRef::as_ref))
    }
}

impl TryFrom<ElementRow> for QueueElement {
    type Error = Corrupt;

    fn try_from(row: ElementRow) -> Result<Self, Corrupt> {
        let at = RowAddress::new("queues", row.id);
        let status = row.status.parse().map_err(at.column("status"))?;
        Ok(Self {
            id: ElementId::from_uuid(row.id),
            queue_name: QueueName::from_stored(row.queue_name),
            status,
            data: row.data.map(ElementData::from_stored),
            reference: row.reference.map(Reference::from_stored),
            times: ElementTimes { created_date: row.created_date, start_date: row.start_date, end_date: row.end_date },
            message: row.message.map(Message::from_stored),
            created_by: row.created_by.map(CreatedBy::from_stored),
            job_id: row.job_id.map(JobId::from_uuid),
            lease_token: LeaseToken::new(row.lease_token),
            lease_expires_at: row.lease_expires_at,
            parked: row.parked && status == ElementStatus::InProgress,
            attempt: u32::try_from(row.attempt).map_err(at.column("attempt"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ElementRow {
        ElementRow {
            id: Uuid::nil(),
            queue_name: "Invoices".to_owned(),
            status: "NEW".to_owned(),
            created_date: DateTime::UNIX_EPOCH,
            start_date: None,
            end_date: None,
            lease_token: 0,
            lease_expires_at: None,
            parked: false,
            attempt: 0,
            job_id: None,
            reference: None,
            created_by: None,
            message: None,
            data: None,
        }
    }

    #[test]
    fn an_unknown_status_says_where_it_is() {
        let error = QueueElement::try_from(ElementRow { status: "OPEN".to_owned(), ..row() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "table queues, row 00000000-0000-0000-0000-000000000000, column status: 'OPEN' is not a queue element \
             status; one of NEW IN_PROGRESS DONE FAILED ABANDONED"
        );
    }

    #[test]
    fn a_negative_attempt_says_where_it_is() {
        let error = QueueElement::try_from(ElementRow { attempt: -1, ..row() }).unwrap_err();
        assert_eq!(error.column, "attempt");
    }
}

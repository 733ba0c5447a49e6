use orchestrator_core::id::ElementId;
use orchestrator_core::queue::QueueElement;

use super::row::{ElementRow, element_columns};
use crate::dialect::{Sql, sql};
use crate::error::DbError;
use crate::id_part::IdPart;
use crate::lists::Ids;
use crate::rows::fetch;
use crate::tx::Tx;

const ELEMENT_GET: Sql =
    sql!["SELECT " [columns element_columns] " FROM queues WHERE id" [in_ids "$1"] " ORDER BY created_date, id"];
const ELEMENT_BEGINNING: Sql =
    sql!["SELECT " [columns element_columns] " FROM queues WHERE id >= $1 AND id <= $2 ORDER BY id LIMIT 2"];
// No index knows the ends of ids: this one reads them all, for a person who typed a short id.
const ELEMENT_END: Sql = sql!["SELECT " [columns element_columns] " FROM queues WHERE "
     [only sqlite "lower(hex(id))"] [only postgres "replace(CAST(id AS TEXT), '-', '')"] " LIKE $1 ORDER BY id LIMIT 2"];

impl Tx {
    /// One element.
    pub async fn element_get(&mut self, id: ElementId) -> Result<QueueElement, DbError> {
        let ids: Ids = std::iter::once(id.as_uuid()).collect();
        let row = fetch!(self, "element_get", ELEMENT_GET, table "queues" key "id" as ElementRow, [&ids])?.pop();
        let row = row.ok_or_else(|| DbError::not_found("queue element", id))?;
        Ok(row.and_then(QueueElement::try_from)?)
    }

    /// The element with this id, or with this unique beginning or end of it (at least four characters).
    pub async fn element_find(&mut self, key: &str) -> Result<QueueElement, DbError> {
        if let Ok(id) = key.parse::<ElementId>() {
            return self.element_get(id).await;
        }
        let Some(part) = IdPart::parse(key) else { return Err(DbError::not_found("queue element", key)) };
        let (least, most) = part.range();
        let mut rows =
            fetch!(self, "element_find", ELEMENT_BEGINNING, table "queues" key "id" as ElementRow, [least, most])?;
        if rows.len() < 2 {
            let ends =
                fetch!(self, "element_find", ELEMENT_END, table "queues" key "id" as ElementRow, [part.end_pattern()])?;
            for row in ends {
                let known = rows.iter().flatten().any(|other| row.as_ref().is_ok_and(|row| row.id == other.id));
                if !known {
                    rows.push(row);
                }
            }
        }
        match (rows.pop(), rows.pop()) {
            (None, _) => Err(DbError::not_found("queue element", key)),
            (Some(row), None) => Ok(row.and_then(QueueElement::try_from)?),
            (Some(_), Some(_)) => Err(DbError::Ambiguous { what: "queue element", key: key.to_owned() }),
        }
    }
}

#[cfg(test)]
crate::statements::statements![ELEMENT_GET, ELEMENT_BEGINNING, ELEMENT_END];

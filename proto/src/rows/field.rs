//! The names that columns and keys may have.

use super::guard::GUARDED;

/// What an element can be given.
pub(super) const FIELDS: &str = "reference, data, created_by";

/// What an export tells beside it, by the names of its columns; JSON spells them `queueName` and so on.
const TOLD: [&str; 10] = [
    "queue_name",
    "message",
    "created_date",
    "start_date",
    "end_date",
    "job_id",
    "attempt",
    "lease_token",
    "lease_expires_at",
    "parked",
];

/// What a column or key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Reference,
    Data,
    CreatedBy,
    Id,
    Status,
    /// Whether cells of the row have a guard, as files for spreadsheets say.
    Guarded,
    /// Something else that an export tells.
    Told(&'static str),
}

impl Field {
    /// However it is spelled: `created_by`, `createdBy`, `Created By`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let plain = plain(name);
        match plain.as_str() {
            "reference" => Some(Self::Reference),
            "data" => Some(Self::Data),
            "createdby" => Some(Self::CreatedBy),
            "id" => Some(Self::Id),
            "status" => Some(Self::Status),
            GUARDED => Some(Self::Guarded),
            _ => TOLD.into_iter().find(|told| self::plain(told) == plain).map(Self::Told),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Data => "data",
            Self::CreatedBy => "created_by",
            Self::Id => "id",
            Self::Status => "status",
            Self::Guarded => GUARDED,
            Self::Told(name) => name,
        }
    }
}

fn plain(name: &str) -> String {
    name.trim().chars().filter(|c| !matches!(c, '_' | ' ' | '-')).flat_map(char::to_lowercase).collect()
}

/// What is wrong with a name that is none.
pub(super) const UNKNOWN: &str = "is no field of an element";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_an_export_can_have_is_known_in_both_spellings() {
        let pool = prost_reflect::DescriptorPool::decode(crate::DESCRIPTORS).unwrap();
        let element = pool.get_message_by_name("orchestrator.v1.QueueElement").unwrap();
        assert!(element.fields().count() >= 14);
        for field in element.fields() {
            let known = Field::named(field.name());
            assert_eq!(known.map(Field::name), Some(field.name()));
            assert_eq!(Field::named(field.json_name()), known);
        }
        assert_eq!(Field::named("colour"), None);
    }
}

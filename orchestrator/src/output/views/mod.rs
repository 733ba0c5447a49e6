//! How each message is shown to people: one file per noun, columns as data.

mod access;
mod admin;
mod job;
mod log;
mod queue;
mod trigger;

#[cfg(test)]
mod tests;

macro_rules! listing {
    ($reply:ident, $field:ident, $row:ident, $empty:expr $(, $cursor:ident)?) => {
        impl $crate::output::Listing for pb::$reply {
            type Row = pb::$row;

            const EMPTY: &'static str = $empty;

            fn rows(&self) -> &[pb::$row] {
                &self.$field
            }
            $(
                fn next_cursor(&self) -> Option<&str> {
                    Some(self.$cursor.as_str()).filter(|cursor| !cursor.is_empty())
                }
            )?
        }
    };
}

macro_rules! single {
    ($row:ident, $field:ident, $what:literal: $($reply:ident),+ $(,)?) => {
        $(impl $crate::output::Single for pb::$reply {
            type Row = pb::$row;

            const WHAT: &'static str = $what;

            fn row(&self) -> Option<&pb::$row> {
                self.$field.as_ref()
            }
        })+
    };
}

pub(crate) use trigger::held_because;
pub(crate) use {listing, single};

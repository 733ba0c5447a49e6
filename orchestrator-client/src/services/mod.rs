//! The calls, by what they are about.

mod constants;
mod credentials;
mod jobs;
mod logs;
mod queues;
mod triggers;

pub use constants::Constants;
pub use credentials::{Credentials, Revealed};
pub use jobs::{JobFilter, Jobs, Output};
pub use logs::{LogFilter, Logs};
pub use queues::{Claim, ElementFilter, NewElement, Queues};
pub use triggers::{Triggers, trigger};

/// Declares what gives access to one service.
macro_rules! service {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a> {
            client: &'a crate::Client,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(client: &'a crate::Client) -> Self {
                Self { client }
            }
        }
    };
}
pub(crate) use service;

/// Reads a list page by page.
macro_rules! all_pages {
    ($client:expr, $path:literal, $request:expr, $answer:ty, $items:ident, $most:expr) => {{
        let mut request = $request;
        let most: usize = $most;
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let limit = u32::try_from(most.saturating_sub(items.len()).min(1000)).unwrap_or(1000);
            if limit == 0 {
                break Ok(items);
            }
            request.page = Some(orchestrator_proto::v1::Page { limit, cursor });
            let answer: $answer = $client.call($path, request.clone()).await?;
            items.extend(answer.$items);
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                break Ok(items);
            }
        }
    }};
}
pub(crate) use all_pages;

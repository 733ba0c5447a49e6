//! How much of a list is fetched.

use clap::Args;
use orchestrator_proto::v1 as pb;

use crate::error::Result;

/// The most items the server gives at once.
const PAGE: u32 = 1000;

/// Which part of a list is wanted: unless told otherwise, of what people make all, of what robots make the first 100.
#[derive(Debug, Clone, Args)]
pub(crate) struct Paging<const DEFAULT: u32 = 100> {
    /// The most items; 0 for all of them. Unless given, 100 of what robots make, and all of what people make.
    // No default of the argument's own: that would be one for all kinds of lists, whatever their `DEFAULT`.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// Go on where an earlier list ended (its `nextCursor`).
    #[arg(long, value_name = "CURSOR", default_value_t, hide_default_value = true)]
    pub(crate) cursor: String,
}

/// Fetches page after page until the limit or the end, and returns the items with the cursor of what is left.
pub(crate) async fn pages<T, F, const DEFAULT: u32>(paging: &Paging<DEFAULT>, mut fetch: F) -> Result<(Vec<T>, String)>
where
    F: AsyncFnMut(pb::Page) -> Result<(Vec<T>, String)>,
{
    let limit = paging.limit.unwrap_or(DEFAULT);
    let wanted = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut items = Vec::new();
    let mut cursor = paging.cursor.clone();
    loop {
        let limit = u32::try_from(wanted - items.len()).unwrap_or(PAGE).min(PAGE);
        let (page, next) = fetch(pb::Page { limit, cursor: cursor.clone() }).await?;
        items.extend(page);
        // A search may find nothing in its share of the rows and yet go on; one that stands still never ends.
        let stalled = next == cursor;
        if next.is_empty() || stalled || items.len() >= wanted {
            return Ok((items, next));
        }
        cursor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of 2,500 numbers, whose cursor is the next number.
    async fn fetch(limit: u32, calls: &mut Vec<u32>) -> (Vec<u32>, String) {
        let paging = Paging::<100> { limit: Some(limit), cursor: String::new() };
        pages(&paging, async |page: pb::Page| {
            calls.push(page.limit);
            let from: u32 = page.cursor.parse().unwrap_or(0);
            let to = (from + page.limit).min(2500);
            Ok(((from..to).collect(), if to < 2500 { to.to_string() } else { String::new() }))
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn a_list_ends_at_the_limit_and_says_where_to_go_on() {
        let mut calls = Vec::new();
        let (items, next) = fetch(1200, &mut calls).await;
        assert_eq!((items.len(), next.as_str(), calls), (1200, "1200", vec![1000, 200]));
    }

    #[tokio::test]
    async fn without_a_limit_each_kind_of_list_has_its_own() {
        #[derive(clap::Parser)]
        struct OfPeople {
            #[command(flatten)]
            paging: Paging<0>,
        }
        #[derive(clap::Parser)]
        struct OfRobots {
            #[command(flatten)]
            paging: Paging,
        }

        let many = async |page: pb::Page| Ok((vec![1; page.limit as usize], "next".to_owned()));
        let people: OfPeople = clap::Parser::parse_from(["list", "--limit", "7"]);
        assert_eq!(pages(&people.paging, many).await.unwrap().0.len(), 7);
        let all: OfPeople = clap::Parser::parse_from(["list"]);
        assert_eq!(all.paging.limit, None);
        let robots: OfRobots = clap::Parser::parse_from(["list"]);
        assert_eq!(pages(&robots.paging, many).await.unwrap().0.len(), 100);
    }

    #[tokio::test]
    async fn a_search_goes_on_behind_a_page_without_any() {
        let paging = Paging::<100> { limit: Some(0), cursor: String::new() };
        let (items, next) = pages(&paging, async |page: pb::Page| match page.cursor.as_str() {
            "" => Ok((Vec::new(), "1".to_owned())),
            "1" => Ok((vec!["found"], "2".to_owned())),
            _ => Ok((Vec::new(), String::new())),
        })
        .await
        .unwrap();
        assert_eq!((items, next.as_str()), (vec!["found"], ""));
    }

    #[tokio::test]
    async fn a_list_that_stands_still_ends() {
        let paging = Paging::<100> { limit: Some(0), cursor: String::new() };
        let still = async |_: pb::Page| Ok((vec![1], "same".to_owned()));
        let (items, next) = pages(&paging, still).await.unwrap();
        assert_eq!((items, next.as_str()), (vec![1, 1], "same"));
    }

    #[tokio::test]
    async fn without_a_limit_a_list_is_fetched_whole() {
        let mut calls = Vec::new();
        let (items, next) = fetch(0, &mut calls).await;
        assert_eq!((items, next.as_str(), calls), ((0..2500).collect(), "", vec![1000, 1000, 1000]));
    }
}

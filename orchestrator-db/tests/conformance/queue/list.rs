use orchestrator_core::id::ElementId;
use orchestrator_core::queue::ElementStatus::{Done, Failed, InProgress, New};
use orchestrator_core::text::{ElementData, Message, QueueName, Reference};
use orchestrator_db::{
    ClaimRequest, DbError, ElementFilter, NewElement, PageRequest, SEARCHED_ROWS, StatusBy, StatusChange,
};

use super::world::*;
use crate::harness::TestDb;

conformance! {
    elements_of_a_job_are_those_it_holds_or_held,
    elements_are_listed_in_the_order_of_insertion_or_newest_first,
    pages_follow_one_another_without_gaps_or_repeats,
    a_page_ends_where_the_answer_is_full,
    every_filter_narrows_the_list,
    wildcards_in_a_search_are_literal,
    a_search_looks_at_so_many_elements_and_goes_on_where_it_stopped,
    elements_in_progress_are_found_behind_any_number_of_others,
    an_element_that_cannot_be_read_does_not_break_the_list,
    a_cursor_of_another_list_is_refused,
}

fn all() -> ElementFilter {
    ElementFilter::of(queue())
}

async fn list(db: &TestDb, filter: &ElementFilter) -> Vec<ElementId> {
    let mut tx = db.begin_read().await.unwrap();
    let (listed, next) = tx.element_list(filter, &PageRequest::first(1000)).await.unwrap();
    assert_eq!(next, None);
    ids(&listed.rows)
}

async fn elements_are_listed_in_the_order_of_insertion_or_newest_first(db: TestDb) {
    let mut stored = some(&db, 3).await;
    insert(&db, &[NewElement { queue_name: QueueName::parse("Other").unwrap(), ..element() }], at(1)).await;
    set(&db, change(stored[1], Done, StatusBy::Operator), at(9)).await.unwrap();
    assert_eq!(list(&db, &all()).await, stored);
    stored.reverse();
    assert_eq!(list(&db, &ElementFilter { newest_first: true, ..all() }).await, stored);
}

async fn pages_follow_one_another_without_gaps_or_repeats(db: TestDb) {
    let elements: Vec<NewElement> = (0..7).map(|_| element()).collect();
    let mut expected = insert(&db, &elements, t0()).await;
    expected.extend(some(&db, 3).await.into_iter().skip(1));
    expected.sort_unstable();
    for newest_first in [false, true] {
        let filter = ElementFilter { newest_first, ..all() };
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: 4, cursor };
            let (listed, next) = db.begin_read().await.unwrap().element_list(&filter, &page).await.unwrap();
            assert!(listed.rows.len() <= 4);
            seen.extend(ids(&listed.rows));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, list(&db, &filter).await);
        assert_eq!(seen.len(), 10);
    }
}

async fn a_page_ends_where_the_answer_is_full(db: TestDb) {
    let data = ElementData::parse(&"x".repeat(1 << 20), 1 << 20).unwrap();
    let large: Vec<NewElement> = (0..8).map(|_| NewElement { data: Some(data.clone()), ..element() }).collect();
    let stored = insert(&db, &large, at(0)).await;
    let mut page = PageRequest::first(1000);
    let mut pages = Vec::new();
    loop {
        let (listed, next) = db.begin_read().await.unwrap().element_list(&all(), &page).await.unwrap();
        pages.push(ids(&listed.rows));
        page.cursor = next;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    assert_eq!(pages.concat(), stored);
}

async fn every_filter_narrows_the_list(db: TestDb) {
    let stored = insert(&db, &[with_reference("A"), with_reference("B"), with_data("Zürich")], t0()).await;
    let late = insert(&db, &[with_reference("A")], at(60)).await[0];
    let failed =
        StatusChange { message: Some(Message::cut("No such file")), ..change(late, Failed, StatusBy::Operator) };
    set(&db, failed, at(61)).await.unwrap();
    let of_a = ElementFilter { reference: Some(Reference::parse("A", 100).unwrap()), ..all() };
    let search = |text: &str| ElementFilter { search: Some(text.to_owned()), ..all() };
    for newest_first in [false, true] {
        let narrowed = [
            (of_a.clone(), vec![stored[0], late]),
            (ElementFilter { statuses: vec![Failed], ..of_a.clone() }, vec![late]),
            (ElementFilter { statuses: vec![Failed], ..all() }, vec![late]),
            (ElementFilter { statuses: vec![New], ..all() }, stored.clone()),
            (ElementFilter { statuses: vec![New, Failed], ..all() }, vec![stored[0], stored[1], stored[2], late]),
            (ElementFilter { statuses: vec![Done], ..all() }, vec![]),
            (ElementFilter { created_from: Some(at(60)), ..all() }, vec![late]),
            (ElementFilter { created_to: Some(at(59)), ..all() }, stored.clone()),
            (search("zür"), vec![stored[2]]),
            (search("SUCH"), vec![late]),
            (search("b"), vec![stored[1]]),
        ];
        for (filter, mut expected) in narrowed {
            if newest_first {
                expected.reverse();
            }
            let filter = ElementFilter { newest_first, ..filter };
            assert_eq!(list(&db, &filter).await, expected, "{filter:?}");
        }
    }
}

async fn a_search_looks_at_so_many_elements_and_goes_on_where_it_stopped(db: TestDb) {
    let needle = NewElement { reference: Some(Reference::parse("needle", 100).unwrap()), ..element() };
    let hay = Reference::parse("hay", 100).unwrap();
    // One more than a page looks at, on one side of the needle or on the other.
    for newest_first in [true, false] {
        let queue = QueueName::parse(if newest_first { "Newest" } else { "Oldest" }).unwrap();
        let elements = |count: u32| -> Vec<NewElement> {
            let one = || NewElement { reference: Some(hay.clone()), queue_name: queue.clone(), ..element() };
            (0..count).map(|_| one()).collect()
        };
        let here = NewElement { id: ElementId::generate(), queue_name: queue.clone(), ..needle.clone() };
        insert(&db, std::slice::from_ref(&here), at(if newest_first { 0 } else { 99 })).await;
        for second in 1..=i64::from(SEARCHED_ROWS / 5000) {
            insert(&db, &elements(5000), at(second)).await;
        }
        let all = ElementFilter { search: Some("NEEDLE".to_owned()), newest_first, ..ElementFilter::of(queue) };
        for filter in [
            all.clone(),
            ElementFilter { statuses: vec![New], ..all.clone() },
            ElementFilter { statuses: vec![New, Done], ..all.clone() },
            ElementFilter { created_from: Some(t0()), created_to: Some(at(99)), ..all.clone() },
        ] {
            assert_eq!(sought(&db, &filter).await, [here.id], "{filter:?}");
        }
        let of_hay = ElementFilter { reference: Some(hay.clone()), ..all };
        assert!(sought(&db, &of_hay).await.is_empty());
    }
}

/// What is found page by page, the first of which looks at too few to find anything.
async fn sought(db: &TestDb, filter: &ElementFilter) -> Vec<ElementId> {
    let mut tx = db.begin_read().await.unwrap();
    let (none, mut cursor) = tx.element_list(filter, &PageRequest::first(10)).await.unwrap();
    assert!(none.rows.is_empty() && cursor.is_some(), "it offers to go on: {filter:?}");
    let mut found = Vec::new();
    while cursor.is_some() {
        let (listed, next) = tx.element_list(filter, &PageRequest { limit: 10, cursor }).await.unwrap();
        found.extend(ids(&listed.rows));
        cursor = next;
    }
    found
}

async fn elements_in_progress_are_found_behind_any_number_of_others(db: TestDb) {
    for second in 1..=i64::from(SEARCHED_ROWS / 5000) {
        let hay: Vec<NewElement> = (0..5000).map(|_| element()).collect();
        insert(&db, &hay, at(second)).await;
    }
    insert(&db, &[element()], at(11)).await;
    db.execute("UPDATE queues SET status = 'DONE', ready = FALSE, end_date = created_date").await;
    let held = insert(&db, &[element(), element()], at(12)).await;
    let waiting = insert(&db, &[with_reference("taken early"), element()], at(13)).await;
    for _ in 0..2 {
        assert_eq!(claim(&db, request(), at(20)).await.len(), 1);
    }
    let early = Reference::parse("taken early", 100).unwrap();
    claim(&db, ClaimRequest { reference: Some(early), ..request() }, at(21)).await;
    let mut expected = vec![held[0], held[1], waiting[0]];
    expected[..2].sort_unstable();
    let in_progress = ElementFilter { statuses: vec![InProgress], ..all() };
    assert_eq!(list(&db, &in_progress).await, expected);
    let mut tx = db.begin_read().await.unwrap();
    let (first, cursor) = tx.element_list(&in_progress, &PageRequest::first(2)).await.unwrap();
    let (rest, end) = tx.element_list(&in_progress, &PageRequest { limit: 2, cursor }).await.unwrap();
    assert_eq!((ids(&first.rows), ids(&rest.rows), end), (expected[..2].to_vec(), vec![waiting[0]], None));
    expected.reverse();
    assert_eq!(list(&db, &ElementFilter { newest_first: true, ..in_progress.clone() }).await, expected);
    // Any other filter looks at so many, and goes on.
    let of_done = ElementFilter { statuses: vec![Done], newest_first: false, created_from: Some(at(11)), ..all() };
    assert_eq!(list(&db, &of_done).await.len(), 1);
    assert_eq!(
        sought(&db, &ElementFilter { created_to: Some(at(12)), ..in_progress }).await,
        expected[1..].iter().rev().copied().collect::<Vec<_>>()
    );
}

async fn wildcards_in_a_search_are_literal(db: TestDb) {
    let stored =
        insert(&db, &[with_data("100 %"), with_data("100 x"), with_data("a_b"), with_data("a\\b")], t0()).await;
    for (text, expected) in [("%", 0), ("0 %", 0), ("_", 2), ("a_b", 2), ("\\", 3)] {
        let filter = ElementFilter { search: Some(text.to_owned()), ..all() };
        assert_eq!(list(&db, &filter).await, [stored[expected]], "{text}");
    }
}

async fn an_element_that_cannot_be_read_does_not_break_the_list(db: TestDb) {
    let stored = some(&db, 3).await;
    execute(&db, format!("UPDATE queues SET status = 'OPEN' WHERE id = {}", literal(&db, stored[1].as_uuid()))).await;
    let (listed, _) = db.begin_read().await.unwrap().element_list(&all(), &PageRequest::first(10)).await.unwrap();
    assert_eq!(ids(&listed.rows), [stored[0], stored[2]]);
    assert_eq!(listed.corrupt[0].row, stored[1].to_string());
}

async fn a_cursor_of_another_list_is_refused(db: TestDb) {
    let page = PageRequest { limit: 1, cursor: Some("7b7d".to_owned()) };
    let refused = db.begin_read().await.unwrap().element_list(&all(), &page).await.unwrap_err();
    assert!(matches!(refused, DbError::InvalidCursor { .. }), "{refused}");
}

async fn elements_of_a_job_are_those_it_holds_or_held(db: TestDb) {
    let job = running_job(&db).await;
    let elements = insert(&db, &[element(), element(), element()], at(0)).await;
    claim(&db, of_job(job), at(1)).await;
    claim(&db, of_job(job), at(2)).await;
    let ids = async |limit| {
        let listed = db.begin_read().await.unwrap().element_list_of_job(job, limit).await.unwrap();
        listed.rows.iter().map(|element| element.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(10).await, elements[..2]);
    assert_eq!(ids(1).await, elements[..1]);
}

//! Queues, as integrations and people use them.

use std::time::Duration;

use orchestrator_core::id::{ElementId, RequestId};
use orchestrator_core::identity::Role;
use orchestrator_core::text::QueueName;
use orchestrator_db::NewElement;
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::world::{Presents, World, reason, single, world};

pub(crate) const QUEUE: &str = "Invoices";

pub(crate) async fn queues(world: &World) -> QueueServiceClient<Channel> {
    QueueServiceClient::new(world.channel().await)
}

pub(crate) fn new(reference: &str, data: &str) -> v1::NewElement {
    v1::NewElement { reference: Some(reference.to_owned()), data: Some(data.to_owned()), ..Default::default() }
}

pub(crate) fn create(element: v1::NewElement) -> v1::CreateElementRequest {
    v1::CreateElementRequest { queue_name: QUEUE.to_owned(), element: Some(element), ..Default::default() }
}

fn claim(count: u32) -> v1::ClaimElementsRequest {
    v1::ClaimElementsRequest { queue_name: QUEUE.to_owned(), count, ..Default::default() }
}

async fn summary(queues: &mut QueueServiceClient<Channel>, user: &Presents) -> v1::Queue {
    let listed = queues.list_queues(user.on(v1::ListQueuesRequest::default())).await.unwrap().into_inner();
    listed.queues.into_iter().next().unwrap_or_default()
}

pub(crate) fn field(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    let info = status.get_details_error_info();
    info.and_then(|info| info.metadata.get("field").cloned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_is_created_claimed_and_ended() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let made = queues.create(user.on(create(new("A-1", "17")))).await.unwrap().into_inner().element.unwrap();
    assert_eq!((made.status.as_str(), made.reference.as_deref(), made.attempt), ("NEW", Some("A-1"), 0));

    assert_eq!(summary(&mut queues, &user).await.oldest_new_at, made.created_date);
    let peek = v1::ClaimElementsRequest { peek: true, ..claim(1) };
    let peeked = queues.claim(user.on(peek)).await.unwrap().into_inner().elements;
    assert_eq!(peeked, std::slice::from_ref(&made));

    let lease = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    let leased = v1::ClaimElementsRequest { lease, ..claim(5) };
    let taken = queues.claim(user.on(leased)).await.unwrap().into_inner().elements.remove(0);
    assert_eq!((taken.status.as_str(), taken.lease_token, taken.job_id.as_str()), ("IN_PROGRESS", 1, ""));
    assert!(taken.lease_expires_at.is_some());
    assert_eq!(summary(&mut queues, &user).await.oldest_new_at, None, "nothing waits");
    assert!(queues.claim(user.on(claim(1))).await.unwrap().into_inner().elements.is_empty());

    let end = v1::SetElementStatusRequest {
        element: taken.id[24..].to_owned(),
        status: "DONE".to_owned(),
        message: Some("x".repeat(2000)),
        lease_token: Some(0),
    };
    let stale = queues.set_status(user.on(end.clone())).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::FailedPrecondition, "LEASE_LOST"));
    let end = v1::SetElementStatusRequest { lease_token: Some(1), ..end };
    let done = queues.set_status(user.on(end.clone())).await.unwrap().into_inner().element.unwrap();
    assert_eq!((done.status.as_str(), done.end_date.is_some()), ("DONE", true));
    assert!(done.message.as_ref().unwrap().contains("characters cut"));
    let again = queues.set_status(user.on(end)).await.unwrap().into_inner().element.unwrap();
    assert_eq!(again.end_date, done.end_date, "setting the same status again is no error");

    let queue = summary(&mut queues, &user).await;
    assert_eq!((queue.queue_name.as_str(), queue.done_count, queue.new_count), (QUEUE, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_repeated_without_a_second_effect() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let id = ElementId::generate().to_string();
    let first = create(v1::NewElement { id: id.clone(), ..new("A", "1") });
    queues.create(user.on(first.clone())).await.unwrap();
    let clash = queues.create(user.on(first.clone())).await.unwrap_err();
    assert_eq!((clash.code(), reason(&clash).as_str()), (Code::AlreadyExists, "CONFLICT"));
    let repeated = queues.create(user.on(v1::CreateElementRequest { repeat: true, ..first })).await.unwrap();
    assert_eq!(repeated.into_inner().element.unwrap().id, id);
    queues.create(user.on(create(new("B", "2")))).await.unwrap();
    assert_eq!(summary(&mut queues, &user).await.new_count, 2);

    let request_id = RequestId::generate().to_string();
    let call = |repeat| Some(v1::Call { request_id: request_id.clone(), repeat });
    let taken = queues.claim(user.on(v1::ClaimElementsRequest { call: call(false), ..claim(1) })).await.unwrap();
    let again = queues.claim(user.on(v1::ClaimElementsRequest { call: call(true), ..claim(1) })).await.unwrap();
    assert_eq!(taken.into_inner(), again.into_inner());
    assert_eq!(summary(&mut queues, &user).await.new_count, 1);
}

async fn upload(
    queues: &mut QueueServiceClient<Channel>,
    user: &Presents,
    parts: Vec<Vec<v1::NewElement>>,
) -> Result<i64, Status> {
    let messages: Vec<v1::BulkCreateRequest> = parts
        .into_iter()
        .enumerate()
        .map(|(number, elements)| {
            let queue_name = if number == 0 { QUEUE.to_owned() } else { String::new() };
            v1::BulkCreateRequest { queue_name, elements, ..Default::default() }
        })
        .collect();
    let answer = queues.bulk_create(user.on(tokio_stream::iter(messages))).await?;
    Ok(answer.into_inner().created_count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_stored_whole_or_not_at_all() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let good = |count: usize| (0..count).map(|number| new(&number.to_string(), "x")).collect::<Vec<_>>();
    let bad = vec![new("last", &"x".repeat(2001))];
    let refused = upload(&mut queues, &user, vec![good(500), good(500), bad]).await.unwrap_err();
    assert_eq!((refused.code(), field(&refused).as_str()), (Code::InvalidArgument, "data"));
    assert_eq!(summary(&mut queues, &user).await.new_count, 0);
    let nothing = upload(&mut queues, &user, vec![]).await.unwrap_err();
    assert_eq!(field(&nothing), "queue_name");
    let too_many = upload(&mut queues, &user, vec![vec![v1::NewElement::default(); 50_000]; 3]).await.unwrap_err();
    assert_eq!((too_many.code(), field(&too_many).as_str()), (Code::InvalidArgument, "elements"));

    let created = upload(&mut queues, &user, vec![good(6_000), good(4_000)]).await.unwrap();
    assert_eq!((created, summary(&mut queues, &user).await.new_count), (10_000, 10_000));
    let first = queues.claim(user.on(claim(1))).await.unwrap().into_inner().elements.remove(0);
    assert_eq!(first.reference.as_deref(), Some("0"), "in the order of the upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_names_its_field() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let nameless = v1::CreateElementRequest { queue_name: String::new(), ..create(new("a", "b")) };
    let refused = [
        (queues.create(user.on(nameless)).await.unwrap_err(), "queue_name"),
        (queues.create(user.on(create(new(&"x".repeat(101), "")))).await.unwrap_err(), "reference"),
        (queues.create(user.on(create(new("a", "b\0")))).await.unwrap_err(), "data"),
        (queues.claim(user.on(claim(1001))).await.unwrap_err(), "count"),
        (
            queues
                .claim(user.on(v1::ClaimElementsRequest { lease: Some(prost_types::Duration::default()), ..claim(1) }))
                .await
                .unwrap_err(),
            "lease",
        ),
        (
            queues
                .list(user.on(v1::ListElementsRequest {
                    queue_name: QUEUE.to_owned(),
                    statuses: vec!["OPEN".to_owned()],
                    ..Default::default()
                }))
                .await
                .unwrap_err(),
            "statuses",
        ),
    ];
    for (status, expected) in refused {
        assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, expected), "{status:?}");
        assert!(!status.message().contains("elements["), "one element is no place in a list: {}", status.message());
    }
    let unknown = v1::SetElementStatusRequest {
        element: ElementId::generate().to_string(),
        status: "DONE".to_owned(),
        ..Default::default()
    };
    let unknown = queues.set_status(user.on(unknown)).await.unwrap_err();
    assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::NotFound, "QUEUE_ELEMENT_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn elements_are_edited_retried_listed_and_deleted() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    for number in 0..3 {
        queues.create(user.on(create(new("A", &number.to_string())))).await.unwrap();
    }
    let taken = queues.claim(user.on(claim(2))).await.unwrap().into_inner().elements;
    for element in &taken {
        let failed = v1::SetElementStatusRequest {
            element: element.id.clone(),
            status: "FAILED".to_owned(),
            ..Default::default()
        };
        queues.set_status(user.on(failed)).await.unwrap();
    }
    let edit = v1::UpdateElementRequest {
        element: taken[0].id.clone(),
        data: Some(String::new()),
        message: Some("looked at".to_owned()),
        reference: None,
    };
    let edited = queues.update(user.on(edit)).await.unwrap().into_inner().element.unwrap();
    assert_eq!(
        (edited.reference.as_deref(), edited.data, edited.message.as_deref()),
        (Some("A"), None, Some("looked at"))
    );

    let list = v1::ListElementsRequest {
        queue_name: QUEUE.to_owned(),
        page: Some(v1::Page { limit: 2, cursor: String::new() }),
        newest_first: true,
        ..Default::default()
    };
    let first = queues.list(user.on(list.clone())).await.unwrap().into_inner();
    let page = Some(v1::Page { limit: 2, cursor: first.next_cursor.clone() });
    let second = queues.list(user.on(v1::ListElementsRequest { page, ..list })).await.unwrap().into_inner();
    assert_eq!((first.elements.len(), second.elements.len(), second.next_cursor.as_str()), (2, 1, ""));
    assert_eq!(second.elements[0].id, taken[0].id);

    let retry = v1::RetryElementsRequest { elements: taken.iter().map(|element| element.id.clone()).collect() };
    assert_eq!(queues.retry(user.on(retry)).await.unwrap().into_inner().retried_count, 2);
    queues.delete(user.on(v1::DeleteElementRequest { element: taken[0].id.clone() })).await.unwrap();
    let queue = summary(&mut queues, &user).await;
    assert_eq!((queue.new_count, queue.failed_count), (2, 0));

    let admin = world.user(Role::Admin).await;
    let settings = |max_attempts| v1::UpdateQueueSettingsRequest { queue_name: QUEUE.to_owned(), max_attempts };
    let changed = queues.update_settings(admin.on(settings(3))).await.unwrap().into_inner().queue.unwrap();
    assert_eq!((changed.max_attempts, changed.new_count), (3, 2));
    assert_eq!(field(&queues.update_settings(admin.on(settings(0))).await.unwrap_err()), "max_attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_element_wakes_the_trigger_of_its_queue() {
    let world = world().await;
    let admin = world.user(Role::Admin).await;
    let kind =
        v1::trigger::Kind::Queue(v1::QueueKind { queue_name: QUEUE.to_owned(), min_batch_size: 1, max_parallel: 1 });
    let trigger = Some(v1::Trigger { kind: Some(kind), ..single("on work") });
    world.triggers().await.create(admin.on(v1::CreateTriggerRequest { trigger, ..Default::default() })).await.unwrap();
    queues(&world).await.create(admin.on(create(new("A", "1")))).await.unwrap();
    let mut jobs = world.jobs().await;
    let woken = async {
        loop {
            let listed = jobs.list(admin.on(v1::ListJobsRequest::default())).await.unwrap().into_inner();
            if !listed.jobs.is_empty() {
                return listed.jobs.len();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), woken).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_paused_resumed_and_deleted_with_a_trace() {
    let world = world().await;
    let (admin, operator) = (world.user(Role::Admin).await, world.user(Role::Operator).await);
    let mut queues = queues(&world).await;
    for reference in ["1", "2", "3"] {
        queues.create(operator.on(create(new(reference, "x")))).await.unwrap();
    }
    let name = QUEUE.to_owned();
    let claim = || v1::ClaimElementsRequest { queue_name: QUEUE.to_owned(), ..Default::default() };
    let taken = queues.claim(operator.on(claim())).await.unwrap().into_inner().elements.remove(0);
    let unknown = v1::PauseQueueRequest { queue_name: "Invoces".to_owned() };
    assert_eq!(queues.pause(operator.on(unknown)).await.unwrap_err().code(), Code::NotFound);
    let pause = v1::PauseQueueRequest { queue_name: name.clone() };
    assert!(queues.pause(operator.on(pause.clone())).await.unwrap().into_inner().queue.unwrap().paused);
    queues.pause(operator.on(pause)).await.unwrap();
    assert!(queues.claim(operator.on(claim())).await.unwrap().into_inner().elements.is_empty());
    let resume = v1::ResumeQueueRequest { queue_name: name.clone() };
    assert!(!queues.resume(operator.on(resume)).await.unwrap().into_inner().queue.unwrap().paused);

    for misspelled in ["Invoces", &QUEUE.to_uppercase()] {
        let delete = v1::DeleteQueueRequest { queue_name: misspelled.to_owned() };
        let unknown = queues.delete_queue(admin.on(delete)).await.unwrap_err();
        assert_eq!(reason(&unknown), "QUEUE_NOT_FOUND", "{misspelled}");
    }
    let delete = v1::DeleteQueueRequest { queue_name: name.clone() };
    let refused = queues.delete_queue(operator.on(delete.clone())).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let busy = queues.delete_queue(admin.on(delete.clone())).await.unwrap_err();
    assert_eq!((busy.code(), reason(&busy).as_str()), (Code::FailedPrecondition, "QUEUE_BUSY"));
    let done = v1::SetElementStatusRequest { element: taken.id, status: "DONE".to_owned(), ..Default::default() };
    queues.set_status(operator.on(done)).await.unwrap();
    let kind = v1::trigger::Kind::Queue(v1::QueueKind { queue_name: name, min_batch_size: 99, max_parallel: 1 });
    let trigger = Some(v1::Trigger { kind: Some(kind), ..single("watcher") });
    world.triggers().await.create(admin.on(v1::CreateTriggerRequest { trigger, ..Default::default() })).await.unwrap();
    let watched = queues.delete_queue(admin.on(delete.clone())).await.unwrap_err();
    assert!(reason(&watched) == "QUEUE_WATCHED" && watched.message().contains("'watcher'"), "{watched}");
    let trigger = "watcher".to_owned();
    world.triggers().await.delete(admin.on(v1::DeleteTriggerRequest { trigger })).await.unwrap();
    let gone = queues.delete_queue(admin.on(delete)).await.unwrap().into_inner();
    assert_eq!((gone.deleted_count, gone.remaining_count), (3, 0));
    let left = queues.list_queues(admin.on(v1::ListQueuesRequest::default())).await.unwrap().into_inner().queues;
    assert!(left.is_empty(), "{left:?}");

    let request = v1::ListAuditRequest { subject: QUEUE.to_owned(), ..Default::default() };
    let entries = AdminServiceClient::new(world.channel().await)
        .list_audit(admin.on(request))
        .await
        .unwrap()
        .into_inner()
        .entries;
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["queue.delete", "queue.resume", "queue.pause", "element.claim"][..].to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_rides_on_the_next_claim() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    for number in 0..5 {
        queues.create(user.on(create(new("A", &number.to_string())))).await.unwrap();
    }
    let taken = queues.claim(user.on(claim(2))).await.unwrap().into_inner().elements;
    let complete = |element: &v1::QueueElement, lease_token| v1::SetElementStatusRequest {
        element: element.id.clone(),
        status: "DONE".to_owned(),
        lease_token: Some(lease_token),
        ..Default::default()
    };
    let changes = vec![complete(&taken[0], taken[0].lease_token), complete(&taken[1], 99)];
    let riding = v1::ClaimElementsRequest { complete: changes, ..claim(3) };
    let answer = queues.claim(user.on(riding)).await.unwrap().into_inner();
    assert_eq!(answer.elements.len(), 3);
    let told: Vec<(&str, &str)> =
        answer.completed.iter().map(|result| (result.status.as_str(), result.error_code.as_str())).collect();
    assert_eq!(told, [("DONE", ""), ("", "LEASE_LOST")]);
    assert_eq!(answer.completed[1].element, taken[1].id);

    let changes = answer.elements.iter().map(|element| complete(element, element.lease_token)).collect();
    let many = v1::SetElementStatusesRequest { changes };
    let results = queues.set_statuses(user.on(many)).await.unwrap().into_inner().results;
    assert!(results.len() == 3 && results.iter().all(|result| result.status == "DONE"), "{results:?}");
    let queue = summary(&mut queues, &user).await;
    assert_eq!((queue.done_count, queue.in_progress_count, queue.new_count), (4, 1, 0));

    let peeking = v1::ClaimElementsRequest { peek: true, complete: vec![complete(&taken[1], 1)], ..claim(1) };
    assert_eq!(field(&queues.claim(user.on(peeking)).await.unwrap_err()), "complete");
    let too_many = v1::SetElementStatusesRequest { changes: vec![complete(&taken[1], 1); 1001] };
    assert_eq!(field(&queues.set_statuses(user.on(too_many)).await.unwrap_err()), "changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_known_by_elements_settings_or_a_trigger_and_else_not_found() {
    let world = world().await;
    let (operator, admin) = (world.user(Role::Operator).await, world.user(Role::Admin).await);
    let mut queues = QueueServiceClient::new(world.channel().await);
    let get = |name: &str| v1::GetQueueRequest { queue_name: name.to_owned() };
    let refused = queues.get_queue(operator.on(get("Invoises"))).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "QUEUE_NOT_FOUND"));
    let element = v1::CreateElementRequest { queue_name: "elements".to_owned(), ..Default::default() };
    let element = v1::CreateElementRequest { element: Some(v1::NewElement::default()), ..element };
    queues.create(operator.on(element)).await.unwrap();
    let set = v1::UpdateQueueSettingsRequest { queue_name: "settings".to_owned(), max_attempts: 3 };
    queues.update_settings(admin.on(set)).await.unwrap();
    for (name, elements, attempts) in [("elements", 1, 1), ("settings", 0, 3)] {
        let found = queues.get_queue(operator.on(get(name))).await.unwrap().into_inner().queue.unwrap();
        assert_eq!((found.new_count, found.max_attempts), (elements, attempts), "{name}");
    }
}

async fn import(
    queues: &mut QueueServiceClient<Channel>,
    user: &Presents,
    elements: Vec<v1::ImportedElement>,
) -> Result<i64, Status> {
    let message = v1::ImportElementsRequest { queue_name: QUEUE.to_owned(), elements };
    Ok(queues.import(user.on(tokio_stream::iter([message]))).await?.into_inner().created_count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_repeated_without_touching_what_became_of_the_elements() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let imported = |status: &str| v1::ImportedElement {
        element: Some(v1::NewElement { id: ElementId::generate().to_string(), ..new("A", "x") }),
        status: status.to_owned(),
        message: Some("there".to_owned()),
    };
    let elements = vec![imported("DONE"), imported("FAILED"), imported("NEW")];
    assert_eq!(import(&mut queues, &user, elements.clone()).await.unwrap(), 3);
    let counts = summary(&mut queues, &user).await;
    assert_eq!((counts.new_count, counts.done_count, counts.failed_count), (1, 1, 1));
    let failed = elements[1].element.clone().unwrap().id;
    queues.retry(user.on(v1::RetryElementsRequest { elements: vec![failed.clone()] })).await.unwrap();
    let more = [elements, vec![imported("ABANDONED")]].concat();
    assert_eq!(import(&mut queues, &user, more).await.unwrap(), 1);
    let opened = queues.get(user.on(v1::GetElementRequest { element: failed })).await.unwrap().into_inner();
    assert_eq!(opened.element.unwrap().status, "NEW");

    let without_id = v1::ImportedElement { element: Some(new("A", "x")), ..imported("DONE") };
    let refused = import(&mut queues, &user, vec![without_id]).await.unwrap_err();
    assert_eq!((refused.code(), field(&refused).as_str()), (Code::InvalidArgument, "id"));
    let refused = import(&mut queues, &user, vec![imported("LOST")]).await.unwrap_err();
    assert_eq!((refused.code(), field(&refused).as_str()), (Code::InvalidArgument, "status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_listed_page_by_page_and_the_first_thousand_to_who_knows_of_no_pages() {
    let world = world().await;
    let user = world.user(Role::Operator).await;
    let mut queues = queues(&world).await;
    let mut tx = world.scheduler.db().begin_write().await.unwrap();
    let elements: Vec<NewElement> = (0..1001)
        .map(|number| NewElement {
            id: ElementId::generate(),
            queue_name: QueueName::parse(&format!("q{number:04}")).unwrap(),
            reference: None,
            data: None,
            created_by: None,
        })
        .collect();
    tx.element_insert(&elements, false, world.scheduler.now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut list = async |page| {
        let request = v1::ListQueuesRequest { page, with_depths: true };
        let listed = queues.list_queues(user.on(request)).await.unwrap().into_inner();
        let names: Vec<String> = listed.queues.into_iter().map(|queue| queue.queue_name).collect();
        (names.len(), names.first().cloned().unwrap_or_default(), listed.next_cursor)
    };
    let (count, first, next) = list(None).await;
    assert_eq!((count, first.as_str()), (1000, "q0000"));
    let (count, first, next) = list(Some(v1::Page { limit: 0, cursor: next })).await;
    assert_eq!((count, first.as_str(), next.as_str()), (1, "q1000", ""));
    let (count, ..) = list(Some(v1::Page { limit: 7, ..v1::Page::default() })).await;
    assert_eq!(count, 7);
}

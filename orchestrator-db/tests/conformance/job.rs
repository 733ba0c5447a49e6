//! Jobs as they are made, found, listed and edited.

use orchestrator_core::id::{JobId, RequestId};
use orchestrator_core::job::{Job, JobSnapshot, JobState, JobStatus, Outcome};
use orchestrator_core::text::ProcessArgs;
use orchestrator_db::{Db, DbError, Dialect, JobCounts, JobFilter, NewJob, PageRequest};

use crate::harness::TestDb;
use crate::world::{
    assign, at, draft, locked, new_job, queue_job, queued, read, run, scheduled, store, trigger, worker, worker_name,
    write,
};

conformance! {
    a_new_job_comes_back_as_it_was_given,
    one_instant_becomes_one_job_under_concurrent_inserts,
    each_attempt_of_an_instant_is_a_job_of_its_own,
    a_repeated_call_makes_no_second_job,
    a_job_is_found_by_id_or_a_part_of_it,
    jobs_are_listed_newest_first_page_by_page,
    a_list_looks_at_so_many_jobs_and_goes_on_where_it_stopped,
    a_list_of_jobs_is_filtered,
    a_job_that_cannot_be_read_breaks_no_list_and_names_its_place,
    an_edit_reaches_queued_jobs_only,
    a_job_with_arguments_of_its_own_keeps_them,
    active_jobs_are_counted_by_where_they_stand,
}

async fn a_new_job_comes_back_as_it_was_given(db: TestDb) {
    let id = trigger(&db, "t").await;
    let given = NewJob { not_before: Some(at(60)), ..new_job(&db, id, at(5)).await };
    queue_job(&db, given.clone()).await;
    let job = read!(db, |tx| tx.job_get(given.id)).unwrap();
    let expected = Job {
        id: given.id,
        trigger_id: id,
        trigger_name: given.snapshot.trigger_name.clone(),
        process_name: given.snapshot.process.name.clone(),
        worker_name: None,
        state: JobState::Queued { not_before: Some(at(60)) },
        scheduled_at: at(5),
        queued_at: at(0),
        start_time: None,
        end_time: None,
        attempt: 1,
        superseded_by: None,
        kill_requested: false,
        exit_code: None,
        commit: None,
        reason: None,
        snapshot: given.snapshot,
    };
    assert_eq!(job, expected);
}

async fn one_instant_becomes_one_job_under_concurrent_inserts(db: TestDb) {
    let id = trigger(&db, "t").await;
    let mut servers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let job = new_job(&db, id, at(5)).await;
        let db: Db = db.clone();
        servers.spawn(async move { write!(db, |tx| tx.job_insert(std::slice::from_ref(&job), at(6))).len() });
    }
    let inserted: usize = servers.join_all().await.into_iter().sum();
    assert_eq!(inserted, 1);
}

async fn each_attempt_of_an_instant_is_a_job_of_its_own(db: TestDb) {
    let id = trigger(&db, "t").await;
    let first = new_job(&db, id, at(5)).await;
    let second = NewJob { id: JobId::generate(), attempt: 2, ..first.clone() };
    let repeated = NewJob { id: JobId::generate(), ..first.clone() };
    let jobs = [second.clone(), repeated, first.clone()];
    let inserted = write!(db, |tx| tx.job_insert(&jobs, at(6)));
    assert_eq!(inserted[0], second.id, "in the order given");
    assert_eq!(inserted.len(), 2, "the instant's first attempt is there once");
}

async fn a_repeated_call_makes_no_second_job(db: TestDb) {
    let id = trigger(&db, "t").await;
    let call = RequestId::generate();
    assert!(read!(db, |tx| tx.job_by_origin(call)).unwrap().is_none());
    let first = NewJob { origin_request: Some(call), ..new_job(&db, id, at(5)).await };
    queue_job(&db, first.clone()).await;
    let again = NewJob { origin_request: Some(call), ..new_job(&db, id, at(6)).await };
    assert!(write!(db, |tx| tx.job_insert(&[again], at(6))).is_empty());
    assert_eq!(read!(db, |tx| tx.job_by_origin(call)).unwrap().unwrap().id, first.id);
}

async fn a_job_is_found_by_id_or_a_part_of_it(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (job, other) = (queued(&db, id, 1).await, queued(&db, id, 2).await);
    let text = job.to_string();
    for key in [text.as_str(), &job.short(), &job.short().to_uppercase(), &text[14..], &text.replace('-', "")[8..]] {
        assert_eq!(read!(db, |tx| tx.job_find(key)).unwrap().id, job, "{key}");
    }
    assert_eq!(read!(db, |tx| tx.job_find(&other.short())).unwrap().id, other);
    assert!(matches!(read!(db, |tx| tx.job_find(&text[..8])), Err(DbError::Ambiguous { what: "job", .. })));
    for key in ["abc", "0000", "no job", &JobId::generate().to_string()] {
        assert!(matches!(read!(db, |tx| tx.job_find(key)), Err(DbError::NotFound { what: "job", .. })), "{key}");
    }
}

async fn page_through(db: &Db, filter: &JobFilter, limit: u32) -> Vec<JobId> {
    let mut page = PageRequest::first(limit);
    let mut ids = Vec::new();
    loop {
        let (list, next) = read!(db, |tx| tx.job_list(filter, &page)).unwrap();
        ids.extend(list.rows.into_iter().map(|job| job.id));
        let Some(next) = next else { return ids };
        page.cursor = Some(next);
    }
}

/// 50,000 copies of the only job, done. Their ids are after all that are made in this century.
macro_rules! hay {
    ($id:literal) => {
        concat!(
            "INSERT INTO jobs (id, trigger_id, trigger_name, process_name, worker_name, status, scheduled_at, queued_at, \
                 start_time, end_time, attempt, kill_requested, lease_token, hand_back_count, is_blocking, priority, \
                 type_rank, own_arguments, snapshot) \
             SELECT ",
            $id,
            ", trigger_id, trigger_name, process_name, worker_name, 'DONE', scheduled_at, queued_at, start_time, end_time, \
                 i + 1, FALSE, 1, 0, is_blocking, priority, type_rank, own_arguments, snapshot \
             FROM jobs, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n) numbers"
        )
    };
}
const SQLITE_HAY: &str = hay!("CAST(X'7FFFFFFFFFFF' || CAST(printf('%010d', i) AS BLOB) AS BLOB)");
const POSTGRES_HAY: &str = hay!("CAST('7fffffff-ffff-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0') AS uuid)");

async fn jobs_are_listed_newest_first_page_by_page(db: TestDb) {
    let id = trigger(&db, "t").await;
    let mut jobs = Vec::new();
    for second in 0..5 {
        jobs.push(queued(&db, id, second).await);
    }
    jobs.reverse();
    assert_eq!(page_through(&db, &JobFilter::default(), 2).await, jobs);
}

async fn a_list_looks_at_so_many_jobs_and_goes_on_where_it_stopped(db: TestDb) {
    worker(&db, "r1", 9).await;
    let id = trigger(&db, "t").await;
    let needle = queued(&db, id, 1).await;
    let token = run(&db, needle, "r1", 0).await.lease.token;
    write!(db, |tx| tx.job_finish(needle, token, Outcome::Failed, Some(1), None, at(2)));
    // As many again, made later, which are done.
    db.execute(match db.dialect() {
        Dialect::Sqlite => SQLITE_HAY,
        Dialect::Postgres => POSTGRES_HAY,
    })
    .await;
    let process_name = locked(&db, needle).await.job.process_name;
    let failed = JobFilter { statuses: vec![JobStatus::Failed], ..JobFilter::default() };
    let worker_name = Some(worker_name("r1"));
    for filter in [
        JobFilter { process_name: Some(process_name.clone()), ..failed.clone() },
        JobFilter { trigger_id: Some(id), ..failed.clone() },
        JobFilter { worker_name: worker_name.clone(), ..failed.clone() },
        JobFilter { worker_name, process_name: Some(process_name), ..failed.clone() },
    ] {
        let (none, next) = read!(db, |tx| tx.job_list(&filter, &PageRequest::first(10))).unwrap();
        assert!(none.rows.is_empty() && next.is_some(), "it offers to go on: {filter:?}");
        assert_eq!(page_through(&db, &filter, 10).await, [needle], "{filter:?}");
    }
    let (found, end) = read!(db, |tx| tx.job_list(&failed, &PageRequest::first(10))).unwrap();
    assert_eq!((found.rows.len(), end), (1, None), "an index has those of one status");
}

async fn a_list_of_jobs_is_filtered(db: TestDb) {
    worker(&db, "r1", 9).await;
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    let waiting = queued(&db, a, 1).await;
    let running = queued(&db, a, 2).await;
    run(&db, running, "r1", 0).await;
    let done = queued(&db, b, 3).await;
    let token = run(&db, done, "r1", 0).await.lease.token;
    write!(db, |tx| tx.job_finish(done, token, Outcome::Done, Some(0), None, at(4)));

    let filter = JobFilter { trigger_id: Some(a), ..JobFilter::default() };
    assert_eq!(page_through(&db, &filter, 1).await, [running, waiting]);
    let filter = JobFilter { worker_name: Some(worker_name("r1")), ..JobFilter::default() };
    assert_eq!(page_through(&db, &filter, 1).await, [done, running]);
    let process = read!(db, |tx| tx.job_get(done)).unwrap().process_name;
    let filter = JobFilter { process_name: Some(process), ..JobFilter::default() };
    assert_eq!(page_through(&db, &filter, 1).await, [done]);
    let filter = JobFilter { statuses: vec![JobStatus::Running], ..JobFilter::default() };
    assert_eq!(page_through(&db, &filter, 1).await, [running]);
    let filter = JobFilter {
        statuses: vec![JobStatus::Queued, JobStatus::Done, JobStatus::Running, JobStatus::Failed],
        ..JobFilter::default()
    };
    assert_eq!(page_through(&db, &filter, 2).await, [done, running, waiting]);
    let filter = JobFilter { trigger_id: Some(a), ..filter };
    assert_eq!(page_through(&db, &filter, 1).await, [running, waiting]);
}

async fn a_job_that_cannot_be_read_breaks_no_list_and_names_its_place(db: TestDb) {
    let (a, b) = (trigger(&db, "a").await, trigger(&db, "b").await);
    let good = queued(&db, a, 1).await;
    let bad = queued(&db, b, 2).await;
    for (statement, column) in [
        ("UPDATE jobs SET status = 'NAPPING' WHERE trigger_name = 'b'", "status"),
        ("UPDATE jobs SET status = 'RUNNING' WHERE trigger_name = 'b'", "start_time"),
        ("UPDATE jobs SET status = 'QUEUED', snapshot = '{}' WHERE trigger_name = 'b'", "snapshot"),
    ] {
        db.execute(statement).await;
        let (list, _) = read!(db, |tx| tx.job_list(&JobFilter::default(), &PageRequest::first(9))).unwrap();
        assert_eq!(list.rows.iter().map(|job| job.id).collect::<Vec<_>>(), [good], "{column}");
        let place = list.corrupt[0].to_string();
        assert!(place.starts_with(&format!("table jobs, row {bad}, column {column}: ")), "{place}");
    }
    // A claim passes over it, too.
    let candidates = read!(db, |tx| tx.job_candidates(at(9), None, 1)).unwrap();
    assert_eq!(candidates.iter().map(|job| job.id).collect::<Vec<_>>(), [good]);
}

async fn an_edit_reaches_queued_jobs_only(db: TestDb) {
    worker(&db, "r1", 9).await;
    let id = trigger(&db, "t").await;
    let waiting = queued(&db, id, 1).await;
    let assigned = queued(&db, id, 2).await;
    assign(&db, assigned, "r1", 0).await;
    let before = locked(&db, assigned).await.job.snapshot;

    let mut edit = draft("renamed", scheduled(at(100_000)));
    edit.priority = 5;
    edit.is_blocking = true;
    edit.process.args = None;
    write!(db, |tx| tx.trigger_update(id, &edit, None, at(1)));
    let after = crate::world::snapshot(&db, id).await;
    assert_eq!(write!(db, |tx| tx.job_rewrite_snapshot(id, &after)), 1);

    let job = locked(&db, waiting).await.job;
    assert_eq!((job.trigger_name, job.process_name), (edit.name, edit.process.name));
    assert_eq!(job.snapshot, after);
    let candidate = read!(db, |tx| tx.job_candidates(at(9), None, 9)).unwrap().remove(0);
    assert_eq!((candidate.rank.priority, candidate.is_blocking), (5, true));
    assert_eq!(locked(&db, assigned).await.job.snapshot, before);
}

async fn a_job_with_arguments_of_its_own_keeps_them(db: TestDb) {
    let id = trigger(&db, "t").await;
    let mut own: Vec<(JobId, Option<ProcessArgs>)> = Vec::new();
    for (second, args) in [(1, Some(ProcessArgs::parse("only today \"æ\"", 100).unwrap())), (2, None)] {
        let mut job = new_job(&db, id, at(second)).await;
        job.snapshot.process.args.clone_from(&args);
        own.push((queue_job(&db, job).await, args));
    }
    let mut edit = draft("renamed", scheduled(at(100_000)));
    edit.process.args = Some(ProcessArgs::parse("every day", 100).unwrap());
    write!(db, |tx| tx.trigger_update(id, &edit, None, at(1)));
    let after = crate::world::snapshot(&db, id).await;
    assert_eq!(write!(db, |tx| tx.job_rewrite_snapshot(id, &after)), 2);
    for (job, args) in own {
        let mut expected: JobSnapshot = after.clone();
        expected.process.args = args;
        assert_eq!(locked(&db, job).await.job.snapshot, expected);
    }
    store(&db, &draft("another", scheduled(at(1)))).await;
}

async fn active_jobs_are_counted_by_where_they_stand(db: TestDb) {
    worker(&db, "r1", 9).await;
    let id = trigger(&db, "t").await;
    queued(&db, id, 1).await;
    let assigned = queued(&db, id, 2).await;
    assign(&db, assigned, "r1", 0).await;
    let running = queued(&db, id, 3).await;
    run(&db, running, "r1", 0).await;
    let lost = queued(&db, id, 4).await;
    crate::world::lose(&db, lost, "r1", 0).await;
    assert_eq!(read!(db, |tx| tx.job_counts()).unwrap(), JobCounts { queued: 1, running: 2, lost: 1 });
    let mut started = read!(db, |tx| tx.job_started_of(id)).unwrap();
    started.sort();
    assert_eq!(started, [assigned, running, lost]);
}

//! Claims: the order, and that nothing is handed out twice.

use std::collections::BTreeSet;

use orchestrator_core::id::{JobId, RequestId, SessionId};
use orchestrator_core::job::JobState;
use orchestrator_core::lease::LeaseToken;
use orchestrator_core::trigger::TriggerKind;
use orchestrator_db::{Assign, Db, DbError, Grant, NewJob};

use crate::harness::TestDb;
use crate::world::{
    assign, at, draft, give_back, new_job, queue_job, queued, read, run, scheduled, session, store, trigger, watching,
    worker_name, write,
};

conformance! {
    candidates_come_in_the_order_of_claims,
    candidates_come_in_pages_that_neither_repeat_nor_skip,
    a_job_that_waits_is_no_candidate_before_its_time,
    a_grant_raises_the_token_and_names_the_lease,
    a_job_is_granted_once,
    a_repeated_claim_gets_what_is_still_its_own,
    fifty_tasks_claim_two_hundred_jobs_exactly_once,
}

async fn candidates_come_in_the_order_of_claims(db: TestDb) {
    let mut urgent = draft("urgent", watching("q", 1));
    urgent.priority = 5;
    urgent.worker_whitelist = vec![worker_name("r7")];
    let urgent = store(&db, &urgent).await;
    let queue = store(&db, &draft("queue", watching("q", 1))).await;
    let cron = store(&db, &draft("cron", scheduled(at(100_000)))).await;
    let single = store(&db, &draft("single", TriggerKind::Single { next_run: Some(at(90)) })).await;
    let mut idle = draft("idle", scheduled(at(100_000)));
    idle.priority = -1;
    let idle = store(&db, &idle).await;

    let last = queued(&db, idle, 1).await;
    let by_queue = queued(&db, queue, 2).await;
    let cron_later = queued(&db, cron, 20).await;
    let cron_earlier = queued(&db, cron, 10).await;
    let by_single = queued(&db, single, 90).await;
    let first = queued(&db, urgent, 99).await;
    let candidates = read!(db, |tx| tx.job_candidates(at(100), None, 9)).unwrap();
    let order: Vec<JobId> = candidates.iter().map(|candidate| candidate.id).collect();
    assert_eq!(order, [first, by_single, cron_earlier, cron_later, by_queue, last]);
    assert!(candidates.windows(2).all(|pair| pair[0].rank < pair[1].rank), "the ranks tell the same order");
    assert_eq!((&candidates[0].whitelist[..], candidates[0].trigger_id), (&[worker_name("r7")][..], urgent));
}

async fn candidates_come_in_pages_that_neither_repeat_nor_skip(db: TestDb) {
    let mut high = draft("high", scheduled(at(100_000)));
    high.priority = 1;
    let (high, low) = (store(&db, &high).await, trigger(&db, "low").await);
    for second in 0..5 {
        queued(&db, high, second).await;
        queued(&db, low, second).await;
    }
    let all = read!(db, |tx| tx.job_candidates(at(9), None, 99)).unwrap();
    assert_eq!(all.len(), 10);
    let mut paged: Vec<orchestrator_db::Candidate> = Vec::new();
    loop {
        let after = paged.last().map(|last| last.rank);
        let page = read!(db, |tx| tx.job_candidates(at(9), after.as_ref(), 3)).unwrap();
        let is_last = page.len() < 3;
        paged.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(paged, all);
}

async fn a_job_that_waits_is_no_candidate_before_its_time(db: TestDb) {
    let id = trigger(&db, "t").await;
    let waits = NewJob { not_before: Some(at(60)), ..new_job(&db, id, at(1)).await };
    let waits = queue_job(&db, waits).await;
    assert!(read!(db, |tx| tx.job_candidates(at(59), None, 9)).unwrap().is_empty());
    assert_eq!(read!(db, |tx| tx.job_next_not_before(at(59))).unwrap(), Some(at(60)));
    assert_eq!(read!(db, |tx| tx.job_next_not_before(at(60))).unwrap(), None);
    let row = Assign {
        job: waits,
        worker: worker_name("r1"),
        session: SessionId::generate(),
        request: RequestId::generate(),
    };
    assert!(write!(db, |tx| tx.job_assign(std::slice::from_ref(&row), at(59), at(74))).is_empty());
    assert_eq!(read!(db, |tx| tx.job_candidates(at(60), None, 9)).unwrap()[0].id, waits);
    assert_eq!(write!(db, |tx| tx.job_assign(&[row], at(60), at(75))).len(), 1);
}

async fn a_grant_raises_the_token_and_names_the_lease(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let grant = assign(&db, job, "r1", 0).await;
    assert_eq!((grant.lease.token, grant.lease.expires_at), (LeaseToken::new(1), at(15)));
    assert_eq!(grant.job.state, JobState::Assigned { lease: grant.lease });
    assert_eq!(grant.job.worker_name, Some(worker_name("r1")));
    give_back(&db, &grant).await;
    assert_eq!(assign(&db, job, "r2", 20).await.lease.token, LeaseToken::new(2));
}

async fn a_job_is_granted_once(db: TestDb) {
    let id = trigger(&db, "t").await;
    let job = queued(&db, id, 1).await;
    let mut claims = tokio::task::JoinSet::new();
    for number in 0..8 {
        let db: Db = db.clone();
        let row = Assign {
            job,
            worker: worker_name(&format!("r{number}")),
            session: SessionId::generate(),
            request: RequestId::generate(),
        };
        claims.spawn(async move { write!(db, |tx| tx.job_assign(&[row], at(1), at(16))).len() });
    }
    assert_eq!(claims.join_all().await.into_iter().sum::<usize>(), 1);
}

async fn a_repeated_claim_gets_what_is_still_its_own(db: TestDb) {
    let id = trigger(&db, "t").await;
    let (request, r1) = (RequestId::generate(), worker_name("r1"));
    let mut rows = Vec::new();
    for second in [2, 1, 3] {
        let job = queued(&db, id, second).await;
        rows.push(Assign { job, worker: r1.clone(), session: SessionId::generate(), request });
    }
    let grants = write!(db, |tx| tx.job_assign(&rows, at(1), at(16)));
    let granted: Vec<JobId> = grants.iter().map(|grant| grant.job.id).collect();
    assert_eq!(granted, rows.iter().map(|row| row.job).collect::<Vec<_>>(), "in the order given");
    assert_eq!(read!(db, |tx| tx.job_grants_of_request(&r1, request)).unwrap(), grants);
    assert!(read!(db, |tx| tx.job_grants_of_request(&worker_name("r2"), request)).unwrap().is_empty());
    give_back(&db, &grants[0]).await;
    run(&db, granted[0], "r1", 20).await;
    assert_eq!(read!(db, |tx| tx.job_grants_of_request(&r1, request)).unwrap(), grants[1..]);
}

const TASKS: usize = 50;
const JOBS: i64 = 200;

/// Each task is a worker with two slots that claims, runs and ends jobs until there are none.
async fn fifty_tasks_claim_two_hundred_jobs_exactly_once(db: TestDb) {
    let triggers = [trigger(&db, "a").await, trigger(&db, "b").await, trigger(&db, "c").await, trigger(&db, "d").await];
    let mut jobs = Vec::new();
    for second in 0..JOBS {
        let of = triggers[usize::try_from(second).unwrap() % triggers.len()];
        jobs.push(new_job(&db, of, at(second)).await);
    }
    assert_eq!(write!(db, |tx| tx.job_insert(&jobs, at(0))).len(), jobs.len());

    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..TASKS {
        let db: Db = db.clone();
        tasks.spawn(async move { work(&db, &format!("r{number:02}")).await });
    }
    let claimed: Vec<Grant> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), jobs.len(), "each once");
    assert_eq!(claimed.iter().map(|grant| grant.job.id).collect::<BTreeSet<_>>().len(), jobs.len(), "all of them");
    assert!(claimed.iter().all(|grant| grant.lease.token == LeaseToken::new(1)));
    assert_eq!(read!(db, |tx| tx.job_counts()).unwrap().queued, 0);
}

async fn work(db: &Db, worker: &str) -> Vec<Grant> {
    let new = session(worker, 2);
    write!(db, |tx| tx.worker_upsert(&new, at(0)));
    let mut done = Vec::new();
    loop {
        let grants = match claim(db, worker, new.session).await {
            Ok(Some(grants)) => grants,
            Ok(None) => return done,
            Err(error) if error.is_contention() => continue,
            Err(error) => panic!("{error:?}"),
        };
        for grant in &grants {
            let outcome = orchestrator_core::job::Outcome::Done;
            assert!(write!(db, |tx| tx.job_finish(grant.job.id, grant.lease.token, outcome, Some(0), None, at(300))));
        }
        done.extend(grants);
    }
}

/// As the scheduler claims: the worker's row first, then the triggers that nobody else has, then what is still queued.
/// `None` when there is nothing left to claim.
async fn claim(db: &Db, worker: &str, session: SessionId) -> Result<Option<Vec<Grant>>, DbError> {
    let mut tx = db.begin_write().await?;
    let load = tx.worker_lock_loads(&[worker_name(worker)]).await?.workers.remove(0);
    assert_eq!(load.active, 0, "it ended what it had");
    let candidates = tx.job_candidates(at(300), None, load.slots * 4).await?;
    if candidates.is_empty() {
        return Ok(None);
    }
    let triggers: BTreeSet<_> = candidates.iter().map(|candidate| candidate.trigger_id).collect();
    let free = tx.trigger_try_lock(&triggers.into_iter().collect::<Vec<_>>()).await?;
    let request = RequestId::generate();
    let rows: Vec<Assign> = candidates
        .iter()
        .filter(|candidate| free.contains(&candidate.trigger_id))
        .take(load.slots as usize)
        .map(|candidate| Assign { job: candidate.id, worker: worker_name(worker), session, request })
        .collect();
    let grants = tx.job_assign(&rows, at(300), at(315)).await?;
    tx.commit().await?;
    Ok(Some(grants))
}

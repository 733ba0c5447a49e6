//! With years of history behind them, statements find their rows by an index: the one that is meant.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::all;
use crate::connect::{Db, DbOptions, STEADY_PLANS};

/// Tables that grow for ever.
const LARGE: [&str; 7] = ["audit", "job_output", "jobs", "logs", "queue_samples", "queues", "trigger_decisions"];

/// Those that may read a large table from end to end: people ask for them, seldom.
const MAY_SCAN: [&str; 4] =
    ["queue::find::ELEMENT_END", "retention::AUDIT_PRUNABLE", "retention::LOG_PRUNABLE", "retention::OUTPUT_PRUNABLE"];

/// The index that a statement has to take, or one of several that hold the same few rows.
const INDEXES: &[(&str, &str)] = &[
    ("queue::list::OF_JOB", "queues_job"),
    ("job::history::JOB_COUNT_MADE", "jobs_by_status"),
    ("trigger::planned::TRIGGER_PLANNED", "triggers_due"),
    ("trigger::planned::TYPICAL_DURATIONS", "jobs_by_trigger"),
    ("queue::claim::ELEMENT_CLAIM", "queues_ready"),
    ("queue::claim::ELEMENT_CLAIM_BY_REFERENCE", "queues_ready_reference"),
    ("queue::claim::ELEMENT_PEEK", "queues_ready"),
    ("queue::claim::ELEMENT_PEEK_BY_REFERENCE", "queues_ready_reference"),
    ("queue::claim::ELEMENT_GRANTED", "queues_request"),
    ("queue::count::READY_COUNT", "queues_ready|queues_ready_reference"),
    ("queue::count::OLDEST_READY", "queues_ready|queues_ready_reference"),
    ("queue::sample::DONE_BEFORE", "queues_order"),
    ("queue::sample::FIRST_CREATED", "queues_order"),
    ("queue::sample::SAMPLE_KEEP", "queue_samples_step"),
    ("queue::sample::SAMPLE_PRUNE", "queue_samples_step"),
    ("queue::sample::DEPTHS", "queue_samples_step|queue_samples_pkey"),
    ("queue::release::HELD_BY_JOBS", "queues_job"),
    ("queue::release::EXPIRED", "queues_lease"),
    ("queue::release::ANY_OF_JOB", "queues_job"),
    ("queue::list::OF_REFERENCE[0]", "queues_reference"),
    ("queue::list::OF_REFERENCE[1]", "queues_reference"),
    ("queue::list::ATTENTION[0]", "queues_attention"),
    ("queue::list::ATTENTION[1]", "queues_attention"),
    ("queue::list::READY[0]", "queues_ready"),
    ("queue::list::READY[1]", "queues_ready"),
    ("queue::list::ALL[0]", "queues_order"),
    ("queue::list::ALL[1]", "queues_order"),
    ("queue::list::WINDOW_OF_REFERENCE[0]", "queues_reference"),
    ("queue::list::WINDOW_OF_REFERENCE[1]", "queues_reference"),
    ("queue::list::WINDOW_OF_ATTENTION[0]", "queues_attention"),
    ("queue::list::WINDOW_OF_ATTENTION[1]", "queues_attention"),
    ("queue::list::WINDOW_OF_READY[0]", "queues_ready"),
    ("queue::list::WINDOW_OF_READY[1]", "queues_ready"),
    ("queue::list::WINDOW_OF_ALL[0]", "queues_order"),
    ("queue::list::WINDOW_OF_ALL[1]", "queues_order"),
    ("trigger::queue_watch::QUEUE_WATCHERS", "queues_ready|queues_ready_reference"),
    ("trigger::queue_watch::QUEUES_WITH_SOMETHING", "queues_ready|queues_ready_reference"),
    ("figures::ACTIVE_BY_STATUS", "jobs_by_status"),
    ("figures::OLDEST_QUEUED", "jobs_by_status|jobs_queued"),
    ("figures::TRIGGERS_HELD", "triggers_held"),
    ("trigger::counts::TRIGGER_COUNTS", "triggers_held|triggers_failed"),
    ("trigger::counts::TRIGGER_COUNTS", "triggers_due"),
    ("queue::count::COUNTS_SUM_OF_QUEUE", "queue_counts_queue"),
    ("glance::GLANCE", "triggers_due"),
    ("glance::GLANCE", "jobs_not_before"),
    ("trigger::due::TRIGGER_LOCK_DUE", "triggers_due"),
    ("trigger::due::TRIGGER_NEXT_DUE", "triggers_due"),
    ("trigger::find::TRIGGER_BY_NAME", "triggers_live_name"),
    ("job::candidates::CANDIDATES_OF_PRIORITY", "jobs_queued"),
    ("job::candidates::CANDIDATES_BELOW", "jobs_queued"),
    ("job::candidates::JOB_NEXT_NOT_BEFORE", "jobs_not_before"),
    ("job::find::JOB_BY_TOKEN_HASH", "jobs_token"),
    ("job::find::JOB_BY_ORIGIN", "jobs_origin_request"),
    ("job::assign::JOB_GRANTS_OF_REQUEST", "jobs_request|jobs_by_status"),
    ("job::lock::JOB_IDS_HELD_BY", "jobs_active_by_worker"),
    ("job::lock::JOB_STARTED_OF", "jobs_active_by_trigger"),
    ("worker::session::WORKER_AND_ACTIVE", "jobs_active_by_worker"),
    ("worker::session::WORKER_RELEASE_RESERVATIONS", "jobs_reserved"),
    ("retention::LOG_PRUNE", "logs_time"),
    ("retention::JOBS_ENDED_BEFORE", "jobs_ended"),
    ("retention::ELEMENT_PRUNE", "queues_order"),
    ("log::OF_JOB[0]", "logs_job"),
    ("log::OF_PROCESS[0]", "logs_process"),
    ("log::ERRORS[0]", "logs_errors"),
    ("log::ALL[0]", "logs_time"),
    ("log::ALL[1]", "logs_time"),
    ("log::WINDOW_OF_JOB", "logs_job"),
    ("log::WINDOW_OF_PROCESS", "logs_process"),
    ("log::WINDOW_OF_ERRORS", "logs_errors"),
    ("log::WINDOW_OF_ALL", "logs_time"),
    ("audit::OF_SUBJECT", "audit_subject_time"),
    ("audit::OF_ACTOR", "audit_actor_time"),
    ("audit::ALL", "audit_time"),
    ("audit::WINDOW_OF_NAME[0]", "audit_subject_time"),
    ("audit::WINDOW_OF_NAME[1]", "audit_actor_time"),
    ("audit::WINDOW_OF_ALL", "audit_time"),
    ("audit::AUDIT_PRUNE", "audit_time"),
    ("decision::DECISION_LIST_OF_TRIGGER", "trigger_decisions_trigger"),
    ("decision::DECISION_PRUNE", "trigger_decisions_decided"),
];

/// Statements that may read all of an index before anything is known of a table: those of lists and of housekeeping, those that
/// stop at the first row, and those for which the index has only what is active.
const MAY_READ_ALL: &[&str] = &[
    "audit::",
    "constant::CONSTANT_NAMES",
    "credential::CREDENTIAL_NAMES",
    "decision::",
    "figures::",
    "glance::",
    "job::ahead::",
    "job::counts::",
    "job::find::",
    "job::history::",
    "job::lost::JOB_LOCK_EXPIRED",
    "queue::claim::ELEMENT_MARK",
    "queue::find::ELEMENT_END",
    "queue::list::",
    "queue::names::QUEUE_NAMES",
    "retention::",
    "token::person::LIST",
    "trigger::ahead::",
    "trigger::counts::",
    "trigger::due::TRIGGER_NEXT_DUE",
    "trigger::find::",
    "trigger::list::",
    "trigger::planned::",
    "trigger::queue_watch::QUEUES_WITH_SOMETHING",
    "trigger::queue_watch::QUEUE_WATCHED_BY",
    "trigger::write::",
    "worker::load::",
    "worker::session::WORKER_LIST",
];

/// Indexes that a statement must not take, though they have what it looks for: of all that is ready, of all that a job has worked
/// on, of the whole backlog.
const WRONG_INDEXES: &[(&str, &str)] = &[
    ("queue::claim::ELEMENT_CLAIM", "queues_ready_reference"),
    ("queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_ACTOR", "queues_ready_reference"),
    ("queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_JOB", "queues_ready_reference"),
    ("queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_JOB", "jobs_active_by_worker"),
    ("queue::claim::at_once::ELEMENTS_CLAIM_AT_ONCE", "queues_ready_reference"),
    ("queue::claim::at_once::ELEMENTS_CLAIM_AT_ONCE", "jobs_active_by_worker"),
    ("queue::status::alone::ELEMENT_END_ALONE", "queues_job"),
    ("queue::status::at_once::ELEMENTS_END_AT_ONCE", "queues_job"),
    ("worker::load::WORKER_LOADS", "jobs_queued"),
];

/// Rows as they are after a while: nearly everything has ended. `{id}` makes an id, `{minute}` an instant of its own for each row.
const HISTORY: [&str; 9] = [
    "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_status, is_git_repo, is_blocking, type, hold,
        worker_whitelist, priority, policies, consecutive_failures, created_at, updated_at)
     SELECT {id}, 't' || i, 'p', '/a', 'IDLE', FALSE, FALSE, 'SINGLE', 'NONE', '[]', 0, '{}', 0, {now}, {now} FROM {some}",
    "INSERT INTO jobs (id, trigger_id, trigger_name, process_name, worker_name, status, scheduled_at, queued_at, attempt,
        kill_requested, lease_token, hand_back_count, is_blocking, priority, type_rank, own_arguments, snapshot)
     SELECT {id}, (SELECT id FROM triggers WHERE trigger_name = 't' || (i % 900 + 1)), 't', 'p' || (i % 50), 'w' || (i % 50),
        CASE WHEN i % 2000 = 0 THEN 'RUNNING' WHEN i % 2000 = 1 THEN 'QUEUED' ELSE 'DONE' END, {now}, {now}, i,
        FALSE, 1, 0, FALSE, 0, 0, FALSE, '{}' FROM {many}",
    "INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt, reference, job_id)
     SELECT {id}, 'q' || (i % 5), CASE WHEN i % 1000 = 0 THEN 'NEW' ELSE 'DONE' END, i % 1000 = 0, i % 1000 = 1, {now}, 1, 1,
        'r' || (i % 5000), {id} FROM {many}",
    "INSERT INTO logs (id, log_time, log_level, process_name, log_message, job_id)
     SELECT {id}, {now}, CASE WHEN i % 100 = 0 THEN 'ERROR' ELSE 'INFO' END, 'p' || (i % 50), 'hello', {id} FROM {many}",
    "INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject)
     SELECT {id}, {now}, 'USER', 'a' || (i % 50), 'trigger.update', 'trigger', 's' || (i % 900) FROM {many}",
    "INSERT INTO trigger_decisions (id, trigger_id, scheduled_at, decided_at, decision, reason)
     SELECT {id}, (SELECT id FROM triggers WHERE trigger_name = 't' || (i % 900 + 1)), {now}, {now}, 'OVERLAP', 'x' FROM {many}",
    "INSERT INTO queue_samples (queue_name, sampled_at, step_minutes, new_count, in_progress_count, done_total, failed_total)
     SELECT 'q' || (i % 100), {minute}, CASE i % 40 WHEN 0 THEN 60 WHEN 1 THEN 1 ELSE 15 END, 0, 0, 0, 0 FROM {many}",
    "INSERT INTO queue_counts (queue_name, status, delta)
     SELECT 'q' || (i % 100), CASE WHEN i % 2 = 0 THEN 'NEW' ELSE 'DONE' END, 1 FROM {many}",
    "INSERT INTO job_output (job_id, seq, stream, at, content) SELECT id, 1, 'STDOUT', {now}, '' FROM jobs",
];

/// Elements of one queue, none of which was taken yet.
const IMPORT: &str =
    "INSERT INTO queues (id, queue_name, status, ready, attention, created_date, lease_token, attempt, reference)
     SELECT {id}, 'q', 'NEW', TRUE, FALSE, {now}, 0, 0, 'r' || i FROM {many}";

fn history(statement: &str, id: &str, minute: &str) -> String {
    let numbers = |most: u32| {
        format!(
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n) AS numbers"
        )
    };
    let statement = statement.replace("{some}", &numbers(1000)).replace("{many}", &numbers(20_000));
    statement.replace("{id}", id).replace("{minute}", minute).replace("{now}", "'2026-11-22T12:00:00+00:00'")
}

/// The plan of every statement, as the database tells it.
type Plans = BTreeMap<String, String>;

async fn sqlite_plans() -> Plans {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let minute = "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1764000000 + i * 60, 'unixepoch')";
    for statement in HISTORY {
        conn.execute(AssertSqlSafe(history(statement, "randomblob(16)", minute))).await.unwrap();
    }
    let mut plans = Plans::new();
    for (name, sql) in all() {
        let rows = conn.fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.sqlite))).await;
        let rows = rows.unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        plans.insert(name, lines.join("\n"));
    }
    plans
}

async fn postgres_plans() -> Plans {
    let url = orchestrator_test_postgres::database_url();
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    let minute = "to_timestamp(1764000000 + i * 60)";
    for statement in HISTORY {
        conn.execute(AssertSqlSafe(history(statement, "gen_random_uuid()", minute))).await.unwrap();
    }
    // The generic plan, which a prepared statement ends up with.
    conn.execute("ANALYZE; SET plan_cache_mode = force_generic_plan").await.unwrap();
    plans_of(&mut conn).await
}

/// The plans of a server that began when there was nothing: kept until the tables are analyzed.
async fn first_plans_of_postgres() -> Plans {
    let url = orchestrator_test_postgres::database_url();
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let options = url.parse::<PgConnectOptions>().unwrap().options(STEADY_PLANS);
    plans_of(&mut sqlx::PgConnection::connect_with(&options).await.unwrap()).await
}

/// The plans after a large import, while all that there is may be claimed.
async fn plans_of_postgres_after_an_import() -> Plans {
    let url = orchestrator_test_postgres::database_url();
    Db::open(&DbOptions::new(&url)).await.unwrap().close().await;
    let options = url.parse::<PgConnectOptions>().unwrap().options(STEADY_PLANS);
    let mut conn = sqlx::PgConnection::connect_with(&options).await.unwrap();
    conn.execute(AssertSqlSafe(history(IMPORT, "gen_random_uuid()", "now()"))).await.unwrap();
    conn.execute("ANALYZE queues").await.unwrap();
    plans_of(&mut conn).await
}

async fn plans_of(conn: &mut PgConnection) -> Plans {
    let mut plans = Plans::new();
    for (name, sql) in all() {
        let most = (1..20).rev().find(|n| sql.postgres.contains(&format!("${n}"))).unwrap_or_default();
        let nothing = vec!["NULL"; most].join(", ");
        let arguments = if most == 0 { nothing } else { format!("({nothing})") };
        let text = format!("PREPARE it AS {}; EXPLAIN (COSTS OFF) EXECUTE it{arguments}; DEALLOCATE it", sql.postgres);
        let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut *conn).await;
        let rows = rows.unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        plans.insert(name, lines.join("\n"));
    }
    plans
}

/// Whether a text has a word: `queues_ready` is no part of `queues_ready_reference`.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|found| found == word)
}

/// Whether a line of a plan reads a large table from end to end.
fn is_full_scan(line: &str) -> bool {
    LARGE.iter().any(|table| {
        let seq = line.contains("Seq Scan on") && has_word(line, table);
        let scan =
            line.trim() == format!("SCAN {table}") || line.trim().starts_with(&format!("SCAN {table} USING COVERING"));
        seq || scan
    })
}

/// The lines of a plan of PostgreSQL that read all that a table or an index of a growing table has.
fn reads_all(plan: &str) -> impl Iterator<Item = &str> {
    let next = plan.lines().skip(1).map(str::trim).chain([""]);
    let scans = plan.lines().map(str::trim).zip(next);
    scans.filter(|(line, next)| is_scan_of_growing(line) && !next.starts_with("Index Cond")).map(|(line, _)| line)
}

fn is_scan_of_growing(line: &str) -> bool {
    let table = line.split(" on ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let of_table = LARGE.contains(&table) || table == "triggers";
    // What a bitmap is made of is named by its index alone.
    let of_bitmap = line.contains("Bitmap Index Scan on ");
    of_bitmap
        || of_table && (line.contains("Index Scan") || line.contains("Index Only Scan") || line.contains("Seq Scan"))
}

fn check(plans: &Plans) {
    let mut wrong = Vec::new();
    for (name, plan) in plans {
        if plan.lines().any(is_full_scan) && !MAY_SCAN.contains(&name.as_str()) {
            wrong.push(format!("{name} reads a whole table:\n{plan}\n"));
        }
    }
    for &(name, index) in INDEXES {
        let plan = plans.get(name).unwrap_or_else(|| panic!("there is no {name}"));
        if !index.split('|').any(|index| has_word(plan, index)) {
            wrong.push(format!("{name} does not take {index}:\n{plan}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn sqlite_takes_the_indexes_that_are_meant() {
    check(&sqlite_plans().await);
}

#[tokio::test]
async fn postgres_takes_the_indexes_that_are_meant() {
    check(&postgres_plans().await);
}

#[tokio::test]
async fn postgres_takes_them_before_there_are_rows() {
    let mut wrong = Vec::new();
    let plans = first_plans_of_postgres().await;
    for &(name, index) in WRONG_INDEXES {
        if has_word(&plans[name], index) {
            wrong.push(format!("{name} takes {index}:\n{}\n", plans[name]));
        }
    }
    for (name, plan) in &plans {
        for scan in reads_all(plan).filter(|_| !MAY_READ_ALL.iter().any(|may| name.starts_with(may))) {
            wrong.push(format!("{name}: {scan}\n{plan}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_page_of_candidates_is_read_from_where_the_last_one_ended() {
    let name = "job::candidates::CANDIDATES_OF_PRIORITY";
    let (sqlite, postgres) = (sqlite_plans().await, first_plans_of_postgres().await);
    assert!(sqlite[name].contains("(priority=? AND (type_rank,scheduled_at,id)>(?,?,?))"), "{}", sqlite[name]);
    assert!(postgres[name].contains("Index Cond: ((priority = $2) AND (ROW(type_rank,"), "{}", postgres[name]);
}

#[tokio::test]
async fn claims_and_looks_begin_at_an_element_and_not_at_all_that_were_created_with_it() {
    let plans = first_plans_of_postgres().await;
    for name in [
        "queue::claim::ELEMENT_CLAIM",
        "queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_ACTOR",
        "queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_JOB",
        "queue::claim::at_once::ELEMENTS_CLAIM_AT_ONCE",
        "queue::claim::ride::ELEMENTS_RIDE_AT_ONCE",
        "queue::count::READY_COUNT",
        "trigger::queue_watch::QUEUE_WATCHERS",
    ] {
        let begins = |line: &str| line.contains("Index Cond: ") && line.contains("ROW(created_date, id) >= ROW(");
        assert!(plans[name].lines().any(begins), "{name}:\n{}", plans[name]);
    }
}

#[tokio::test]
async fn after_an_import_claims_take_the_index_of_what_is_ready_though_that_is_everything() {
    let plans = plans_of_postgres_after_an_import().await;
    let more = [
        ("queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_ACTOR", "queues_ready"),
        ("queue::claim::alone::ELEMENT_CLAIM_ALONE_BY_JOB", "queues_ready"),
        ("queue::claim::at_once::ELEMENTS_CLAIM_AT_ONCE", "queues_ready"),
        ("queue::claim::ride::ELEMENTS_RIDE_AT_ONCE", "queues_ready"),
    ];
    let of_ready = INDEXES.iter().filter(|(_, index)| index.starts_with("queues_ready")).chain(&more);
    for (name, index) in of_ready {
        assert!(index.split('|').any(|index| has_word(&plans[*name], index)), "{name}:\n{}", plans[*name]);
    }
}

#[tokio::test]
async fn queues_are_looked_through_only_where_a_trigger_watches_one() {
    let plan = &first_plans_of_postgres().await["trigger::queue_watch::QUEUES_WITH_SOMETHING"];
    let filter = plan.find("One-Time Filter").expect("it asks first");
    assert!(plan[filter..].contains("on queue_triggers"), "{plan}");
}

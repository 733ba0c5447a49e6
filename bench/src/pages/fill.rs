//! A database as it is after a month of much work, made by statements: over the wire it would take an hour.
//!
//! Rows are spread by arithmetic on their number, so that both databases hold the same and a page can be named by the
//! number of what it shows. One queue and one process have most of the rows, and what is rare elsewhere is not there at
//! all: the worst that a filter can ask for.

use crate::machine::Database;

/// What is made lies in this many seconds before now.
const SPAN: u64 = 30 * 24 * 3600;

/// The queue that has most elements.
pub(super) const QUEUE: &str = "invoices";

/// The process that has most jobs and lines, none of them killed or traced.
pub(super) const PROCESS: &str = "process-0";

/// How much there is of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct World {
    database: Database,
    /// Elements, and as many log lines.
    rows: u64,
    /// Now, in seconds since the epoch.
    now: u64,
}

impl World {
    pub(super) fn new(database: Database, rows: u64, now: u64) -> Self {
        Self { database, rows: rows.max(1000), now }
    }

    fn jobs(self) -> u64 {
        self.rows / 10
    }

    fn triggers(self) -> u64 {
        (self.rows / 500).max(100)
    }

    fn began(self) -> u64 {
        self.now - SPAN
    }

    /// The id of a trigger.
    pub(super) fn trigger(self, number: u64) -> String {
        id(self.began(), number)
    }

    /// The id of a job, the newest of which has the number 0.
    pub(super) fn job(self, back: u64) -> String {
        let number = self.jobs() - back;
        id(self.began() + number * SPAN / self.jobs(), number)
    }

    /// The id of a job that ended long ago and had elements.
    pub(super) fn job_with_elements(self) -> String {
        self.job(self.jobs() / 10)
    }

    /// The id of an element.
    pub(super) fn element(self, number: u64) -> String {
        id(self.began() + number * SPAN / self.rows, number)
    }

    /// A local time, so many days before now, as the browser's field writes it in UTC.
    pub(super) fn days_ago(self, days: u64) -> String {
        let day = (self.now / 86_400).saturating_sub(days);
        let (year, month, day) = date(day);
        format!("{year:04}-{month:02}-{day:02}T00:00")
    }

    /// All of it.
    pub(super) fn statements(self) -> String {
        let all = [
            self.machines(),
            self.trigger_rows(),
            self.job_rows(),
            self.element_rows(),
            self.sample_rows(),
            self.log_rows(),
            self.trail(),
            self.people(),
        ];
        all.concat()
    }

    fn machines(self) -> String {
        let nobody = self.id("1", "0");
        format!(
            "INSERT INTO workers (name, state, last_heartbeat, slots, exclusive, version, labels, session_id, instance_id, \
                drain_requested, registered_at) \
             SELECT 'worker-' || i, 'LOST', {now}, 4, FALSE, '1.0.0', '{{}}', {nobody}, {nobody}, FALSE, {now} FROM {numbers};\
             INSERT INTO constants (name, value, changed_at) SELECT 'constant-' || i, 'value', {now} FROM {numbers};",
            now = self.time(self.now.to_string()),
            numbers = numbers(20),
        )
    }

    /// Three of five by the clock, one of four for queues without anything to do, the others once.
    fn trigger_rows(self) -> String {
        let id = self.id(self.began(), "i");
        let of = numbers(self.triggers());
        // Nothing is due while pages are measured.
        let due = self.time(format!("{} + i * 911 % 864000", self.now + 7200));
        let is = "CASE WHEN i % 20 < 12 THEN 'SCHEDULED' WHEN i % 20 < 17 THEN 'QUEUE' ELSE 'SINGLE' END";
        let none = "i % 20 >= 12 AND i % 20 < 17";
        let only = |kind: &str| format!("FROM {of} WHERE {is} = '{kind}'");
        format!(
            "INSERT INTO triggers (id, trigger_name, process_name, process_path, process_status, is_git_repo, is_blocking, \
                type, hold, worker_whitelist, priority, policies, due_at, last_run, consecutive_failures, created_at, updated_at) \
             SELECT {id}, 'trigger-' || i, {process}, 'https://git.example/robots/robot-' || i, \
                CASE WHEN i % 50 = 7 THEN 'FAILED' WHEN i % 25 = 3 THEN 'PAUSED' ELSE 'IDLE' END, TRUE, i % 2 = 0, {is}, \
                CASE WHEN i % 50 = 7 THEN 'FAILED' WHEN i % 25 = 3 THEN 'PAUSED' ELSE 'NONE' END, '[]', i % 7, '{{}}', \
                CASE WHEN {none} THEN NULL ELSE {due} END, {began}, 0, {began}, {began} FROM {of};\
             INSERT INTO scheduled_triggers (id, cron_expr, next_run, time_zone) SELECT {id}, \
                CASE WHEN i % 3 = 0 THEN (i % 60) || ' * * * *' ELSE (i % 60) || ' 6 * * *' END, {due}, 'Europe/Copenhagen' {scheduled};\
             INSERT INTO queue_triggers (id, queue_name, min_batch_size, max_parallel) SELECT {id}, 'drained-' || (i % 50), 1, 1 {queue};\
             INSERT INTO single_triggers (id, next_run) SELECT {id}, {due} {single};",
            process = process("i"),
            began = self.time(self.began().to_string()),
            scheduled = only("SCHEDULED"),
            queue = only("QUEUE"),
            single = only("SINGLE"),
        )
    }

    /// Half of the jobs are of twenty triggers. The newest wait, run or are lost.
    fn job_rows(self) -> String {
        let jobs = self.jobs();
        let trigger = trigger_of("i", self.triggers());
        let at = format!("({} + i * {SPAN} / {jobs})", self.began());
        let (queued, running, lost) = (jobs - 30, jobs - 40, jobs - 50);
        let status = format!(
            "CASE WHEN i > {queued} THEN 'QUEUED' WHEN i > {running} THEN 'RUNNING' WHEN i > {lost} THEN 'LOST' \
                WHEN t <= 20 THEN CASE WHEN i * 7919 / 13 % 1000 < 50 THEN 'FAILED' ELSE 'DONE' END \
                WHEN i * 7919 / 13 % 1000 < 80 THEN 'FAILED' WHEN i * 7919 / 13 % 1000 < 100 THEN 'KILLED' \
                WHEN i * 7919 / 13 % 1000 < 110 THEN 'TIMED_OUT' WHEN i * 7919 / 13 % 1000 < 115 THEN 'CANCELLED' ELSE 'DONE' END"
        );
        let process = process("t");
        let snapshot = self.json(&format!(
            "'{{\"trigger_name\":\"trigger-' || t || '\",\"trigger_type\":\"SCHEDULED\",\"process\":{{\"name\":\"' || {process} \
             || '\",\"path\":\"https://git.example/robots/robot-' || t || '\",\"args\":null,\"is_git_repo\":true,\
             \"git_branch\":null,\"entry_point\":null}},\"is_blocking\":false,\"priority\":0,\"worker_whitelist\":[],\
             \"policies\":{{}}}}'"
        ));
        let far = "'2099-01-01T00:00:00+00:00'";
        format!(
            "INSERT INTO jobs (id, trigger_id, trigger_name, process_name, worker_name, status, scheduled_at, queued_at, \
                start_time, end_time, lost_since, attempt, kill_requested, lease_token, lease_expires_at, hand_back_count, \
                exit_code, reason, is_blocking, priority, type_rank, own_arguments, snapshot) \
             SELECT {id}, {trigger_id}, 'trigger-' || t, {process}, \
                CASE WHEN i > {queued} THEN NULL ELSE 'worker-' || (i % 20 + 1) END, {status}, {queued_at}, {queued_at}, \
                CASE WHEN i > {queued} THEN NULL ELSE {started} END, CASE WHEN i > {lost} THEN NULL ELSE {ended} END, \
                CASE WHEN i > {lost} AND i <= {running} THEN {now} ELSE NULL END, 1, FALSE, 1, \
                CASE WHEN i > {running} AND i <= {queued} THEN {far} ELSE NULL END, 0, \
                CASE WHEN i > {lost} THEN NULL ELSE 0 END, 'it ended as robots end', FALSE, 0, 1, FALSE, {snapshot} \
             FROM (SELECT i, {trigger} AS t FROM {of}) numbered;\
             INSERT INTO job_output (job_id, seq, stream, at, content) \
             SELECT {id}, seq, 'STDOUT', {queued_at}, {bytes} \
             FROM (SELECT {jobs} - 60 - i / 60 AS i, i % 60 + 1 AS seq FROM {chunks}) chunk;",
            id = self.id(&at, "i"),
            trigger_id = self.id(self.began(), "t"),
            queued_at = self.time(&at),
            started = self.time(format!("{at} + 2")),
            ended = self.time(format!("{at} + 5 + i * 37 % 300")),
            now = self.time(self.now.to_string()),
            far = self.instant(far),
            of = numbers(jobs),
            bytes = match self.database {
                Database::Sqlite => "CAST(printf('%.1000c', 'x') AS BLOB)",
                Database::Postgres => "convert_to(repeat('x', 1000), 'UTF8')",
            },
            chunks = numbers(600),
        )
    }

    /// Four of five are of one queue. The newest three of a hundred wait, and right before them some are worked on, as claims
    /// leave them.
    fn element_rows(self) -> String {
        let at = format!("({} + i * {SPAN} / {})", self.began(), self.rows);
        let job = format!("(i * {} / {} + 1)", self.jobs() - 100, self.rows);
        let waits = self.rows * 97 / 100;
        let begun = waits - self.rows / 1000;
        let status = format!(
            "CASE WHEN i > {waits} THEN 'NEW' WHEN i > {begun} AND i * 7919 / 13 % 10 < 3 THEN 'IN_PROGRESS' \
                WHEN i * 7919 / 13 % 1000 < 50 THEN 'FAILED' WHEN i * 7919 / 13 % 1000 < 60 THEN 'ABANDONED' ELSE 'DONE' END"
        );
        let far = self.instant("'2099-01-01T00:00:00+00:00'");
        format!(
            "INSERT INTO queues (id, queue_name, status, ready, attention, created_date, start_date, end_date, lease_token, \
                lease_expires_at, attempt, job_id, reference, created_by, message, data) \
             SELECT {id}, CASE WHEN i % 10 < 8 THEN '{QUEUE}' ELSE 'queue-' || (i / 10 % 49 + 1) END, status, status = 'NEW', \
                status IN ('FAILED', 'ABANDONED'), {created}, CASE WHEN status = 'NEW' THEN NULL ELSE {started} END, \
                CASE WHEN status IN ('NEW', 'IN_PROGRESS') THEN NULL ELSE {ended} END, 1, CASE WHEN status = 'IN_PROGRESS' THEN {far} ELSE NULL END, \
                1, CASE WHEN i > {waits} THEN NULL ELSE {job_id} END, 'reference-' || (i / 2), 'Uploader', \
                CASE WHEN i > {waits} THEN NULL ELSE 'The invoice was booked and the supplier was told of it by mail' END, \
                '{{\"customer\": \"Customer ' || (i % 1000) || '\", \"amount\": ' || (i % 10000) || ', \"due\": \"2026-12-24\", \
                \"lines\": [{{\"text\": \"Consulting\", \"count\": 12}}, {{\"text\": \"Travel\", \"count\": 1}}]}}' \
             FROM (SELECT i, {status} AS status FROM {of}) numbered;\
             INSERT INTO queue_counts (queue_name, status, delta) \
             SELECT queue_name, status, COUNT(*) FROM queues GROUP BY queue_name, status;",
            id = self.id(&at, "i"),
            created = self.time(&at),
            started = self.time(format!("{at} + 5")),
            ended = self.time(format!("{at} + 9")),
            job_id = self.id(format!("({} + {job} * {SPAN} / {})", self.began(), self.jobs()), &job),
            of = numbers(self.rows),
        )
    }

    /// How queues stood in each quarter of an hour of two days.
    fn sample_rows(self) -> String {
        let quarter = self.time(format!("{} + i * 900", self.now / 3600 * 3600 - 48 * 3600));
        format!(
            "INSERT INTO queue_samples (queue_name, sampled_at, step_minutes, new_count, in_progress_count, done_total, failed_total) \
             SELECT queue_name, {quarter}, CASE WHEN i % 4 = 0 THEN 60 ELSE 15 END, i * 7919 / 13 % 500, 5, i * 20, i \
             FROM (SELECT DISTINCT queue_name FROM queues) named, {of};",
            of = numbers(192),
        )
    }

    /// Ten lines a job. The process that has most of them traces nothing.
    fn log_rows(self) -> String {
        let jobs = self.jobs();
        let at = format!("({} + j * {SPAN} / {jobs})", self.began());
        let process = process("t");
        format!(
            "INSERT INTO logs (id, log_time, log_level, process_name, log_message, job_id) \
             SELECT {id}, {time}, CASE WHEN i * 7919 / 13 % 1000 < 20 THEN 'ERROR' \
                WHEN t > 10 AND i * 7919 / 13 % 1000 < 120 THEN 'TRACE' ELSE 'INFO' END, {process}, \
                'Line ' || i || ': the supplier was found in the system by its number and the invoice was booked at once', {job} \
             FROM (SELECT i, j, {trigger} AS t FROM (SELECT i, i * ({jobs} - 60) / {rows} + 1 AS j FROM {of}) counted) numbered;",
            id = self.id(format!("{at} + 3"), "i"),
            time = self.time(format!("{at} + 3 + i % 10")),
            job = self.id(&at, "j"),
            trigger = trigger_of("j", self.triggers()),
            rows = self.rows,
            of = numbers(self.rows),
        )
    }

    /// As many rows as there are jobs, and ten decisions not to run for each trigger.
    fn trail(self) -> String {
        let jobs = self.jobs();
        let at = format!("({} + i * {SPAN} / {jobs})", self.began());
        let triggers = self.triggers();
        format!(
            "INSERT INTO audit (id, at, actor_kind, actor, action, subject_kind, subject, before, after) \
             SELECT {id}, {time}, 'USER', 'user-' || (i % 40), CASE WHEN i % 3 = 0 THEN 'trigger.update' ELSE 'trigger.enable' END, \
                'trigger', 'trigger-' || (i % {triggers} + 1), {before}, {after} FROM {of};\
             INSERT INTO trigger_decisions (id, trigger_id, scheduled_at, decided_at, decision, reason) \
             SELECT {id}, {trigger}, {time}, {time}, 'OVERLAP', 'its job was active' FROM {decisions};",
            id = self.id(&at, "i"),
            time = self.time(&at),
            before = self.json("'{\"hold\": \"PAUSED\", \"priority\": ' || (i % 9) || '}'"),
            after = self.json("'{\"hold\": \"NONE\", \"priority\": ' || (i % 7) || '}'"),
            of = numbers(jobs),
            trigger = self.id(self.began(), format!("(i % {triggers} + 1)")),
            decisions = numbers(triggers * 10),
        )
    }

    fn people(self) -> String {
        let now = self.time(self.now.to_string());
        let hash = match self.database {
            Database::Sqlite => "CAST('hash' || i AS BLOB)",
            Database::Postgres => "convert_to('hash' || i, 'UTF8')",
        };
        format!(
            "INSERT INTO users (id, name, name_key, role, created_at, changed_at) \
             SELECT {user}, 'user-' || i, 'user-' || i, 'VIEWER', {now}, {now} FROM {users};\
             INSERT INTO sessions (id, hash, user_id, method, created_at, last_seen_at, expires_at, address, user_agent) \
             SELECT {id}, {hash}, {of}, 'PASSWORD', {now}, {now}, {later}, '10.0.0.1', 'Firefox' FROM {sessions};\
             INSERT INTO tokens (id, kind, name, role, hash, prefix, created_at) \
             SELECT {id}, 'USER', 'token-' || i, 'VIEWER', {hash}, 'orc_user_' || i, {now} FROM {tokens};",
            user = self.id(self.began(), "i"),
            id = self.id(self.began(), "i"),
            of = self.id(self.began(), "(i % 100 + 1)"),
            later = self.time((self.now + 7200).to_string()),
            users = numbers(100),
            sessions = numbers(200),
            tokens = numbers(100),
        )
    }

    /// An id that was made in a second, with a number that makes it another one.
    fn id(self, seconds: impl std::fmt::Display, number: impl std::fmt::Display) -> String {
        match self.database {
            Database::Sqlite => {
                format!("unhex(printf('%012x7%03x8%015x', ({seconds}) * 1000, {number} % 4096, {number}))")
            }
            Database::Postgres => format!(
                "CAST(lpad(to_hex(({seconds})::bigint * 1000), 12, '0') || '7' || lpad(to_hex({number} % 4096), 3, '0') || '8' \
                 || lpad(to_hex({number}), 15, '0') AS uuid)"
            ),
        }
    }

    /// The instant of a second.
    fn time(self, seconds: impl std::fmt::Display) -> String {
        match self.database {
            Database::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%S+00:00', {seconds}, 'unixepoch')"),
            Database::Postgres => format!("to_timestamp({seconds})"),
        }
    }

    fn instant(self, literal: &str) -> String {
        match self.database {
            Database::Sqlite => literal.to_owned(),
            Database::Postgres => format!("CAST({literal} AS TIMESTAMPTZ)"),
        }
    }

    fn json(self, text: &str) -> String {
        match self.database {
            Database::Sqlite => text.to_owned(),
            Database::Postgres => format!("CAST({text} AS JSONB)"),
        }
    }
}

/// Half of the jobs are of the first twenty triggers.
fn trigger_of(job: &str, triggers: u64) -> String {
    format!("(CASE WHEN {job} % 2 = 0 THEN {job} / 2 % 20 + 1 ELSE {job} * 7919 % {triggers} + 1 END)")
}

/// The process of a trigger. One has the first ten, and so a quarter of all jobs.
fn process(trigger: &str) -> String {
    format!("CASE WHEN {trigger} <= 10 THEN '{PROCESS}' ELSE 'process-' || ({trigger} % 59 + 1) END")
}

fn numbers(count: u64) -> String {
    // 64 bits on PostgreSQL, too.
    format!(
        "(WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) numbers"
    )
}

/// The same as the statements make it.
fn id(seconds: u64, number: u64) -> String {
    let hex = format!("{:012x}7{:03x}8{number:015x}", seconds * 1000, number % 4096);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
}

/// Year, month and day of a day since the epoch.
fn date(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_783), (2026, 11, 26));
    }

    #[test]
    fn an_id_tells_its_second() {
        assert_eq!(id(1_700_000_000, 4097), "018bcfe5-6800-7001-8000-000000001001");
    }
}

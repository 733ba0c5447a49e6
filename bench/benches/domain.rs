//! What the domain costs by itself: schedules, secrets and state machines. `cargo bench -p orchestrator-bench`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be prepared has nothing to measure")]

use std::hint::black_box;

use chrono::{TimeZone as _, Utc};
use chrono_tz::Europe::Copenhagen;
use criterion::{Criterion, criterion_group, criterion_main};
use orchestrator_core::cron::CronExpr;
use orchestrator_core::job::{JobEvent, JobState, Outcome};
use orchestrator_core::lease::{Lease, LeaseToken};
use orchestrator_core::queue::{ElementStatus, ElementTimes};
use orchestrator_core::secret::{KeyRing, Location, Plaintext};

/// Often, daily, and one that comes only in leap years.
const EXPRESSIONS: [(&str, &str); 3] =
    [("every five minutes", "*/5 * * * *"), ("workdays at seven", "0 7 * * 1-5"), ("leap day", "0 0 29 2 *")];

fn schedules(criterion: &mut Criterion) {
    // The night in which the clock goes forward.
    let before = Utc.with_ymd_and_hms(2026, 3, 28, 23, 59, 0).unwrap();
    for (name, text) in EXPRESSIONS {
        criterion.bench_function(&format!("cron: parse, {name}"), |bencher| {
            bencher.iter(|| CronExpr::parse(black_box(text)).unwrap());
        });
        let expression = CronExpr::parse(text).unwrap();
        criterion.bench_function(&format!("cron: next instant, {name}"), |bencher| {
            bencher.iter(|| expression.next_after(black_box(before), Copenhagen));
        });
    }
}

fn secrets(criterion: &mut Criterion) {
    let keys = KeyRing::generate().unwrap();
    let place = Location { table: "credentials", row: "payroll", column: "password" };
    let password = Plaintext::password("correct horse battery staple".to_owned()).unwrap();
    criterion.bench_function("secret: encrypt", |bencher| {
        bencher.iter(|| keys.encrypt(place, black_box(&password)).unwrap());
    });
    let stored = keys.encrypt(place, &password).unwrap();
    criterion.bench_function("secret: decrypt", |bencher| {
        bencher.iter(|| keys.decrypt(place, black_box(&stored)).unwrap());
    });
}

fn states(criterion: &mut Criterion) {
    let noon = Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap();
    let lease = Lease { token: LeaseToken::new(1), expires_at: noon + chrono::Duration::seconds(15) };
    criterion.bench_function("job: queued to done", |bencher| {
        bencher.iter(|| {
            black_box(JobState::Queued { not_before: None })
                .apply(JobEvent::Claimed { lease })
                .and_then(|state| state.apply(JobEvent::Started { at: noon }))
                .and_then(|state| state.apply(JobEvent::Finished { outcome: Outcome::Done, at: noon }))
                .unwrap()
        });
    });
    criterion.bench_function("queue element: new to done", |bencher| {
        let new = ElementTimes { created_date: noon, start_date: None, end_date: None };
        bencher.iter(|| black_box(new).on(ElementStatus::InProgress, noon).on(ElementStatus::Done, noon));
    });
}

criterion_group!(domain, schedules, secrets, states);
criterion_main!(domain);

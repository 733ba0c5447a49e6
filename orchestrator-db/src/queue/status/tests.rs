use chrono::{Duration, TimeZone, Utc};
use orchestrator_core::queue::ElementTimes;
use orchestrator_core::text::QueueName;

use super::*;

fn noon() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

fn later() -> Timestamp {
    noon() + Duration::minutes(1)
}

fn locked(status: ElementStatus, job_id: Option<JobId>, job_lives: bool) -> Locked {
    let new = ElementTimes { created_date: noon(), start_date: None, end_date: None };
    let element = QueueElement {
        id: ElementId::generate(),
        queue_name: QueueName::parse("Invoices").unwrap(),
        status,
        data: None,
        reference: None,
        times: new.on(status, noon()),
        message: None,
        created_by: None,
        job_id,
        lease_token: LeaseToken::new(3),
        lease_expires_at: None,
        parked: false,
        attempt: 1,
    };
    Locked { element, job_lives }
}

fn change(locked: &Locked, status: ElementStatus, by: StatusBy) -> StatusChange {
    StatusChange { id: locked.element.id, status, message: None, by, token: None }
}

#[test]
fn a_job_sets_any_status_of_any_element_that_no_other_live_job_holds() {
    let (mine, other) = (JobId::generate(), JobId::generate());
    for from in ElementStatus::ALL {
        for to in ElementStatus::ALL {
            for (holder, lives) in [(None, false), (Some(mine), true), (Some(other), false)] {
                let locked = locked(*from, holder, lives);
                let after = decide(&locked, &change(&locked, *to, StatusBy::Job(mine)), later()).unwrap();
                assert_eq!(after.status, *to);
            }
        }
    }
}

#[test]
fn what_another_live_job_works_on_is_out_of_reach_for_a_job_but_not_for_an_operator() {
    let (mine, other) = (JobId::generate(), JobId::generate());
    let held = locked(ElementStatus::InProgress, Some(other), true);
    for to in ElementStatus::ALL {
        let refused = decide(&held, &change(&held, *to, StatusBy::Job(mine)), later()).unwrap_err();
        assert!(matches!(refused, StatusError::HeldByOther { job, .. } if job == other));
        assert!(decide(&held, &change(&held, *to, StatusBy::Operator), later()).is_ok());
    }
    // What it has finished is not held any more.
    let done = locked(ElementStatus::Done, Some(other), true);
    assert!(decide(&done, &change(&done, ElementStatus::Failed, StatusBy::Job(mine)), later()).is_ok());
}

#[test]
fn the_status_it_already_has_is_no_error_and_moves_no_time() {
    for status in ElementStatus::ALL {
        let locked = locked(*status, None, false);
        let with_message =
            StatusChange { message: Some(Message::cut("again")), ..change(&locked, *status, StatusBy::Operator) };
        let after = decide(&locked, &with_message, later()).unwrap();
        assert_eq!(after, QueueElement { message: Some(Message::cut("again")), ..locked.element.clone() });
    }
}

#[test]
fn a_stale_token_is_refused() {
    let job = JobId::generate();
    let held = locked(ElementStatus::InProgress, Some(job), true);
    let with = |token| StatusChange {
        token: Some(LeaseToken::new(token)),
        ..change(&held, ElementStatus::Done, StatusBy::Job(job))
    };
    assert!(matches!(decide(&held, &with(2), later()), Err(StatusError::LeaseLost(_))));
    assert!(decide(&held, &with(3), later()).is_ok());
}

#[test]
fn the_token_of_a_grant_that_was_taken_back_is_refused_even_when_nobody_took_it_since() {
    for status in [ElementStatus::New, ElementStatus::Abandoned] {
        let over = locked(status, None, false);
        let with = |to| StatusChange { token: Some(over.element.lease_token), ..change(&over, to, StatusBy::Operator) };
        assert!(matches!(decide(&over, &with(ElementStatus::Done), later()), Err(StatusError::LeaseLost(_))));
        assert!(decide(&over, &with(status), later()).is_ok(), "what it is already is no error");
    }
}

#[test]
fn new_clears_start_end_owner_and_expiry_but_not_the_token() {
    let job = JobId::generate();
    let mut held = locked(ElementStatus::InProgress, Some(job), true);
    held.element.lease_expires_at = Some(later());
    let after = decide(&held, &change(&held, ElementStatus::New, StatusBy::Job(job)), later()).unwrap();
    assert_eq!((after.times.start_date, after.times.end_date), (None, None));
    assert_eq!((after.job_id, after.lease_expires_at), (None, None));
    assert_eq!(after.lease_token, held.element.lease_token);
    assert_eq!(after.attempt, 1, "giving back is no fresh start");
}

#[test]
fn an_operator_who_makes_an_element_new_gives_it_all_its_attempts_again() {
    let failed = locked(ElementStatus::Failed, None, false);
    let after = decide(&failed, &change(&failed, ElementStatus::New, StatusBy::Operator), later()).unwrap();
    assert_eq!(after.attempt, 0);
}

#[test]
fn taking_an_element_by_setting_it_in_progress_is_a_grant() {
    let job = JobId::generate();
    let new = locked(ElementStatus::New, None, false);
    let after = decide(&new, &change(&new, ElementStatus::InProgress, StatusBy::Job(job)), later()).unwrap();
    assert_eq!(after.job_id, Some(job));
    assert_eq!(after.lease_token, LeaseToken::new(4));
    assert_eq!(after.times.start_date, Some(later()));
}

//! What a job's page lets operators do.

use chrono::TimeDelta;
use orchestrator_db::{JobFilter, PageRequest};

use crate::world::world;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_run_again_before_is_run_once_more_only_after_a_question() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let form = "trigger_name=pay&process_name=Pay&process_path=%2Fpay.py";
    world.post("/triggers/new/single", &admin, form).await;
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(world.scheduler.tick(world.scheduler.now()).await.unwrap().created, 1);
    let mut tx = world.scheduler.db().begin_read().await.unwrap();
    let job = tx.job_list(&JobFilter::default(), &PageRequest::first(1)).await.unwrap().0.rows[0].id;
    tx.rollback().await.unwrap();
    let page = format!("/jobs/{job}");
    world.post(&format!("{page}/kill"), &admin, "").await;

    let at_once = format!("<form method=\"post\" action=\"{page}/retry\"");
    let question = format!("href=\"{page}/retry\"");
    let shown = world.get(&page, &admin).await.body;
    assert!(shown.contains(&at_once) && !shown.contains(&question), "{shown}");

    let made = world.post(&format!("{page}/retry"), &admin, "").await;
    let new = made.header("location").unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    assert!(new.starts_with("/jobs/") && new != page, "{new}");
    let shown = world.get(&page, &admin).await.body;
    assert!(shown.contains(&question) && !shown.contains(&at_once), "{shown}");

    let asked = world.get(&format!("{page}/retry"), &admin).await.body;
    assert!(asked.contains("It was run again before, as job") && asked.contains(&at_once), "{asked}");
}

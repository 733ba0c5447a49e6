//! Why a trigger does not run, as its page says it.

use orchestrator_db::{JobFilter, PageRequest};

use crate::world::world;

const FORM: &str = "trigger_name=night&process_name=Night&time_zone=UTC&cron_expr=0+6+*+*+*&process_path=";

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_hold_says_so_in_place_of_its_next_runs() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let made = world.post("/triggers/new/scheduled", &admin, &format!("{FORM}%2Frobots%2Fnight.py")).await;
    let page = made.header("location").unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    let shown = world.get(&page, &admin).await.body;
    assert!(shown.contains("<ol class=\"runs\">") && !shown.contains("On hold"), "{shown}");
    world.post(&format!("{page}/disable"), &admin, "").await;
    let shown = world.get(&page, &admin).await.body;
    assert!(shown.contains("On hold: paused by chief") && !shown.contains("<ol class=\"runs\">"), "{shown}");
    let list = world.get("/triggers", &admin).await.body;
    assert!(list.contains("<span class=\"soft\">On hold</span>"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_triggers_page_says_what_it_waits_for() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let form = "trigger_name=work&process_name=Work&process_path=%2Fwork.py&queue_name=letters&min_batch_size=3&max_parallel=1";
    let made = world.post("/triggers/new/queue", &admin, form).await;
    let page = made.header("location").unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    world.post("/queues/letters/new", &admin, "reference=1&data=").await;
    let shown = world.get(&page, &admin).await.body;
    assert!(shown.contains("1 of 3 new elements wait in queue &#34;letters&#34;"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_nowhere_is_told_of_beside_its_field() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let refused = world.post("/triggers/new/scheduled", &admin, &format!("{FORM}night.py")).await;
    assert!(refused.header("location").is_none() && refused.body.contains("is relative"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_triggers_that_are_disabled_and_enabled_run_none_again_that_has_had_its_run() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let form = "trigger_name=pay&process_name=Pay&process_path=%2Fpay.py";
    let made = world.post("/triggers/new/single", &admin, form).await;
    let page = made.header("location").unwrap_or_else(|| panic!("{}", made.body)).to_owned();
    let tick = async || {
        // What fires again does so after the instant of its last job.
        world.clock.advance(chrono::TimeDelta::seconds(1));
        world.scheduler.tick(world.scheduler.now()).await.unwrap().created
    };
    assert_eq!(tick().await, 1);
    let mut tx = world.scheduler.db().begin_read().await.unwrap();
    let job = tx.job_list(&JobFilter::default(), &PageRequest::first(1)).await.unwrap().0.rows[0].id;
    tx.rollback().await.unwrap();
    world.post(&format!("/jobs/{job}/kill"), &admin, "").await;
    let trigger = page.trim_start_matches("/triggers/");
    let bulk = async |act: &str| {
        let form = format!("act={act}&trigger={trigger}");
        let answer = world.post("/triggers/bulk", &admin, &form).await;
        answer.header("set-cookie").unwrap_or_default().to_owned()
    };
    bulk("disable").await;
    // The second time it is not paused any more.
    for _ in 0..2 {
        let said = bulk("enable").await;
        assert!(said.contains("1%20has%20had%20its%20run"), "{said}");
        assert_eq!(tick().await, 0);
    }
    world.post(&format!("{page}/enable"), &admin, "").await;
    assert_eq!(tick().await, 1, "by itself it is meant");
}

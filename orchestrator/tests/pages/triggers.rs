//! Why a trigger does not run, as its page says it.

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

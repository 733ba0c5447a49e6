//! Pages that hear of changes.

use orchestrator_core::identity::Role;

use crate::world::{World, world};

/// What a page listens to, as it was drawn.
async fn listens_to(world: &World, page: &str, cookie: &str) -> String {
    let drawn = world.get(page, cookie).await;
    let address = drawn.body.split("hx-sse:connect=\"").nth(1).and_then(|rest| rest.split('"').next());
    address.unwrap_or_else(|| panic!("{page} listens to nothing: {}", drawn.body)).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_a_page_was_drawn_is_told_when_it_begins_to_listen() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let address = listens_to(&world, "/constants", &admin).await;
    world.post("/constants/constant", &admin, "name=Limit&value=7").await;
    world.post("/queues/letters/new", &admin, "reference=1&data=").await;
    let heard = world.listen(&address, &admin, &[], "event: access").await;
    assert!(heard.contains("event: queues") && !heard.contains("event: triggers"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_comes_back_is_told_what_it_missed() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let address = listens_to(&world, "/", &admin).await;
    world.post("/constants/constant", &admin, "name=Limit&value=7").await;
    let heard = world.listen(&address, &admin, &[], "event: access").await;
    let last = heard.rsplit("id: ").next().unwrap().lines().next().unwrap().to_owned();
    world.post("/queues/letters/new", &admin, "reference=1&data=").await;
    let again = world.listen(&address, &admin, &[("last-event-id", &last)], "event: queues").await;
    assert!(!again.contains("event: access"), "that was told before: {again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_another_server_drew_looks_at_everything() {
    let (world, other) = (world().await, world().await);
    let viewer = world.user("vera", Role::Viewer).await;
    let address = listens_to(&other, "/", &other.admin("chief").await).await;
    for address in [address.as_str(), "/events", "/events?seen=nonsense"] {
        let heard = world.listen(address, &world.session(viewer).await, &[], "event: access").await;
        for topic in ["triggers", "jobs", "queues", "workers", "logs", "access"] {
            assert!(heard.contains(&format!("event: {topic}")), "{address}: {heard}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_that_a_page_shows_is_told() {
    let world = world().await;
    let admin = world.admin("chief").await;
    world.post("/queues/letters/new", &admin, "reference=1&data=").await;
    let row = world.get("/queues/letters", &admin).await.body;
    let element = row.split("/elements/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let element = format!("/elements/{element}");
    let form = world.get(&element, &admin).await.body;
    let seen = form.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let ended = format!("reference=1&status=DONE&data=&message=sent&seen={seen}");
    for (path, form, topic) in [
        ("/constants/constant", "name=Limit&value=7", "access"),
        ("/constants/constant/Limit", "value=8", "access"),
        ("/constants/constant/Limit/delete", "", "access"),
        ("/constants/credential", "name=SAP&username=svc&password=x", "access"),
        ("/constants/credential/SAP/delete", "", "access"),
        ("/settings/users/new", "name=maja&role=VIEWER&display_name=&password=", "access"),
        ("/settings/tokens/new", "kind=USER&name=nightly&role=VIEWER&lifetime=", "access"),
        ("/queues/letters/pause", "", "queues"),
        ("/queues/letters/resume", "", "queues"),
        ("/queues/letters/settings", "max_attempts=3", "queues"),
        (element.as_str(), ended.as_str(), "queues"),
        (&format!("{element}/delete"), "", "queues"),
    ] {
        let address = listens_to(&world, "/", &admin).await;
        let done = world.post(path, &admin, form).await;
        assert!(done.status < 400, "{path}: {} {}", done.status, done.body);
        world.listen(&address, &admin, &[], &format!("event: {topic}")).await;
    }
}

//! The trail, looked at and taken away.

use orchestrator_core::identity::Role;

use crate::world::world;

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_shows_what_changed_by_whom_and_filters_live_in_the_address() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let user = world.user("berta", Role::Viewer).await;
    world.post(&format!("/settings/users/{user}"), &admin, "role=OPERATOR&display_name=%3Ci%3EB").await;
    let all = world.get("/audit", &admin).await;
    for part in ["chief", "user.update", "berta", "<del>VIEWER</del>", "<ins>OPERATOR</ins>", "<ins>&#60;i&#62;B</ins>"]
    {
        assert!(all.body.contains(part), "no {part} in {}", all.body);
    }
    assert!(!all.body.contains("<i>B"));
    let rows =
        async |query: &str| world.get(&format!("/audit?{query}"), &admin).await.body.matches("<tr id=\"a-").count();
    assert_eq!(rows("actor=chief&action=user&subject=berta&q=OPERAT").await, 1);
    for nothing in ["actor=nobody", "action=trigger", "subject=x", "q=hay", "since=2026-11-22T13:00:01"] {
        assert_eq!(rows(nothing).await, 0, "{nothing}");
    }
    // Noon UTC is one o'clock in the zone of the server, which viewers have whose browser says none.
    assert_eq!(rows("since=2026-11-22T13:00:00").await, 1);
    let form = world.get("/audit?actor=chief&since=2026-11-22T13:00", &admin).await;
    assert!(form.body.contains(r#"name="actor" value="chief""#) && form.body.contains("value=\"2026-11-22T13:00\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_exported_with_the_filters_of_the_page() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let user = world.user("=berta", Role::Viewer).await;
    world.post(&format!("/settings/users/{user}"), &admin, "role=OPERATOR&display_name=").await;
    let csv = world.get("/audit/export?format=csv&actor=chief", &admin).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.body.contains("id,at,actor_kind,actor,action") && csv.body.contains(",'=berta,"), "{}", csv.body);
    let jsonl = world.get("/audit/export?format=jsonl&actor=chief", &admin).await;
    assert!(
        jsonl.body.contains(r#""role":"OPERATOR""#) && jsonl.body.contains(r#""subject":"=berta""#),
        "{}",
        jsonl.body
    );
    assert!(!world.get("/audit/export?actor=nobody", &admin).await.body.contains("berta"));
}

//! What administrators do with users and tokens, and people with their own account.

use chrono::TimeDelta;
use orchestrator_core::identity::Role;

use crate::world::{PASSWORD, world};

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_password_needs_the_old_one_and_keeps_this_session_only() {
    let world = world().await;
    let user = world.user_with_password("berta", Role::Viewer).await;
    let (here, elsewhere) = (world.session(user).await, world.session(user).await);
    let new = "password=another+horse&again=another+horse";
    for (form, message) in [
        (format!("old_password=nonsense&{new}"), "The old password is wrong."),
        (format!("old_password={}&password=another+horse&again=other", PASSWORD.replace(' ', "+")), "not the same"),
        (format!("old_password={}&password=berta&again=berta", PASSWORD.replace(' ', "+")), "12 to 128 characters"),
    ] {
        let refused = world.post("/profile/password", &here, &form).await;
        assert!(refused.status == 422 && refused.body.contains(message), "{message}: {}", refused.body);
        assert!(!refused.body.contains("another horse"), "passwords are not sent back");
    }
    let form = format!("old_password={}&{new}", PASSWORD.replace(' ', "+"));
    let set = world.post("/profile/password", &here, &form).await;
    assert_eq!((set.status, set.header("location")), (303, Some("/profile")), "{}", set.body);
    assert_eq!(world.get("/profile", &here).await.status, 200);
    assert_eq!(world.get("/profile", &elsewhere).await.status, 303);
    assert_eq!(world.post("/login", "", "name=berta&password=another+horse").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_out_everywhere_else_and_ends_nobody_elses_session() {
    let world = world().await;
    let (user, other) = (world.user("berta", Role::Viewer).await, world.user("carl", Role::Viewer).await);
    let (here, elsewhere) = (world.session(user).await, world.session(user).await);
    let carls = world.session(other).await;
    let page = world.get("/profile", &here).await;
    assert!(page.body.contains("Sign out everywhere else") && page.body.contains("Firefox on Linux"), "{}", page.body);
    let mut tx = world.scheduler.db().begin_read().await.unwrap();
    let now = orchestrator_core::clock::Clock::now(&world.clock);
    let theirs = tx.browser_session_list(Some(other), now, now - TimeDelta::hours(1)).await.unwrap().rows[0].id;
    drop(tx);
    world.post(&format!("/profile/sessions/{theirs}/end"), &here, "").await;
    assert_eq!(world.get("/profile", &carls).await.status, 200, "it is not theirs to end");
    world.post("/profile/sign-out-others", &here, "").await;
    assert_eq!(world.get("/profile", &elsewhere).await.status, 303);
    assert_eq!(world.get("/profile", &here).await.status, 200);
    assert_eq!(world.get("/profile", &carls).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_made_changed_disabled_and_shown_as_text() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let bad = world.post("/settings/users/new", &admin, "name=&role=ADMIN&display_name=Kept").await;
    assert!(bad.status == 422 && bad.body.contains("must not be empty") && bad.body.contains("Kept"), "{}", bad.body);
    let made =
        world.post("/settings/users/new", &admin, "name=%3Cb%3Eerta&role=OPERATOR&display_name=&password=").await;
    assert_eq!(made.status, 303, "{}", made.body);
    let page = made.header("location").unwrap().to_owned();
    let listed = world.get("/settings/users", &admin).await;
    assert!(listed.body.contains("&#60;b&#62;erta") && !listed.body.contains("<b>erta"), "{}", listed.body);
    assert!(listed.body.contains("With a link only"));
    let shown = world.get(&page, &admin).await;
    let version = shown.body.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    world.clock.advance(TimeDelta::seconds(1));
    let changed = world.post(&page, &admin, &format!("role=VIEWER&display_name=Berta&version={version}")).await;
    assert_eq!(changed.status, 303, "{}", changed.body);
    // Someone who still looks at the old state: told who and when, and what was typed is kept.
    let stale = world.post(&page, &admin, &format!("role=ADMIN&display_name=Bertha&version={version}")).await;
    assert_eq!(stale.status, 422);
    assert!(stale.body.contains("was changed by chief at") && stale.body.contains("Bertha"), "{}", stale.body);
    world.post(&format!("{page}/disable"), &admin, "").await;
    assert!(world.get(&page, &admin).await.body.contains("Disabled"));
    assert_eq!(world.post(&format!("{page}/link"), &admin, "").await.status, 409, "a disabled user gets no link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_deleted_only_after_a_question() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let berta = world.user("berta", Role::Operator).await;
    let page = format!("/settings/users/{berta}");
    let shown = world.get(&page, &admin).await.body;
    assert!(!shown.contains(&format!("action=\"{page}/delete\"")), "one click deletes: {shown}");
    assert!(shown.contains(&format!("hx-get=\"{page}/delete\" hx-target=\"#dialog\"")), "{shown}");
    let asked = world.get(&format!("{page}/delete"), &admin).await;
    assert!(asked.status == 200 && asked.body.contains("This cannot be undone"), "{}", asked.body);
    assert!(asked.body.contains(&format!("hx-post=\"{page}/delete\"")), "{}", asked.body);
    assert_eq!(world.get(&page, &admin).await.status, 200, "asking deletes nothing");
    let deleted = world.post(&format!("{page}/delete"), &admin, "").await;
    assert_eq!((deleted.status, deleted.header("location")), (303, Some("/settings/users")), "{}", deleted.body);
    assert_eq!(world.get(&format!("{page}/delete"), &admin).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_is_told_why_they_stay_one() {
    let world = world().await;
    let user = world.user("chief", Role::Admin).await;
    let admin = world.session(user).await;
    let refused = world.post(&format!("/settings/users/{user}/disable"), &admin, "").await;
    assert!(
        refused.status == 409 && refused.body.contains("is the last administrator who may sign in"),
        "{}",
        refused.body
    );
    assert_eq!(world.get("/settings/users", &admin).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_secret_is_shown_once_and_a_revoked_one_is_gone_from_the_list() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let bad = world.post("/settings/tokens/new", &admin, "kind=USER&name=script&role=VIEWER&lifetime=soon").await;
    assert!(bad.status == 422 && bad.body.contains("is no duration") && bad.body.contains("script"), "{}", bad.body);
    let made = world.post("/settings/tokens/new", &admin, "kind=USER&name=script&role=VIEWER&lifetime=90+d").await;
    let secret = made.body.split("<code>orc_user_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(secret.len() > 40, "{secret}");
    assert!(made.header("cache-control").unwrap().contains("no-store"));
    let worker = world.post("/settings/tokens/new", &admin, "kind=WORKER&name=robots-1&role=ADMIN").await;
    assert!(worker.body.contains("orchestrator-worker start --server http://localhost"), "{}", worker.body);
    let listed = world.get("/settings/tokens", &admin).await;
    assert!(listed.body.contains("script") && listed.body.contains("robots-1") && !listed.body.contains(&secret));
    let id = listed.body.split("/settings/tokens/").find(|part| part.contains("/revoke")).unwrap();
    let id = id.split('/').next().unwrap().to_owned();
    assert!(world.get(&format!("/settings/tokens/{id}/revoke"), &admin).await.body.contains("This cannot be undone"));
    assert_eq!(world.post(&format!("/settings/tokens/{id}/revoke"), &admin, "").await.status, 303);
    assert!(!world.get("/settings/tokens", &admin).await.body.contains(&format!("{id}/revoke")));
    assert!(world.get("/settings/tokens?ended=on", &admin).await.body.contains("Revoked"));
}

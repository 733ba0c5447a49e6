//! Getting in and out, as a browser does it.

use chrono::TimeDelta;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::TokenKind;

use crate::world::{PASSWORD, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_is_back_where_they_wanted_to_be() {
    let world = world().await;
    world.user_with_password("berta", Role::Admin).await;
    let away = world.get("/audit?actor=a%26b", "").await;
    assert_eq!((away.status, away.header("location")), (303, Some("/login?next=%2Faudit%3Factor%3Da%2526b")));
    let form = world.get("/login?next=%2Faudit%3Factor%3Da%2526b", "").await;
    assert!(form.body.contains(r#"name="next" value="/audit?actor=a%26b""#), "{}", form.body);
    let body = "name=berta&password=correct+horse&next=%2Faudit%3Factor%3Da%2526b";
    let signed = world.post("/login", "", body).await;
    assert_eq!((signed.status, signed.header("location")), (303, Some("/audit?actor=a%26b")));
    let cookie = signed.header("set-cookie").unwrap();
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    let session = signed.session().unwrap();
    assert_eq!(world.get("/audit", &session).await.status, 200);
    assert_eq!(world.get("/login", &session).await.header("location"), Some("/"), "who is in need not sign in");

    let out = world.post("/logout", &session, "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(world.get("/audit", &session).await.status, 303, "the old cookie opens nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_beside_the_name_that_was_typed() {
    let world = world().await;
    world.user_with_password("berta", Role::Admin).await;
    let refused = world.post("/login", "", "name=%3Cb%3E&password=nonsense+here&next=%2F%2Fevil.example").await;
    assert_eq!((refused.status, refused.session()), (422, None));
    assert!(refused.body.contains("Name or password is wrong"), "{}", refused.body);
    assert!(refused.body.contains("&#60;b&#62;") && !refused.body.contains("<b>"), "{}", refused.body);
    assert!(!refused.body.contains("nonsense") && !refused.body.contains("evil.example"));
    let away = world
        .post(
            "/login",
            "",
            &format!("name=berta&password={}&next=https%3A%2F%2Fevil.example", PASSWORD.replace(' ', "+")),
        )
        .await;
    assert_eq!((away.status, away.header("location")), (303, Some("/")));
    for _ in 0..10 {
        world.post("/login", "", "name=berta&password=nonsense+here").await;
    }
    let limited = world.post("/login", "", "name=berta&password=correct+horse").await;
    assert_eq!((limited.status, limited.session()), (429, None));
    assert!(limited.body.contains("Too many failed sign-ins; try again in 60 s"), "{}", limited.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_signs_nobody_in() {
    let world = world().await;
    world.user_with_password("berta", Role::Admin).await;
    for headers in [[("sec-fetch-site", "cross-site")], [("origin", "https://evil.example")]] {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let all = [headers[0], kind];
        let refused = world.send("POST /login HTTP/1.1\r\n", &all, "name=berta&password=correct+horse").await;
        assert_eq!((refused.status, refused.session()), (403, None), "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_says_so_once_and_comes_back() {
    let world = world().await;
    let admin = world.admin("chief").await;
    world.clock.advance(TimeDelta::hours(8));
    let away = world.get("/settings/users", &admin).await;
    assert_eq!(away.header("location"), Some("/login?next=%2Fsettings%2Fusers"));
    let form = world.get("/login?next=%2Fsettings%2Fusers", &admin).await;
    assert!(form.body.contains("Your session has ended"), "{}", form.body);
    assert!(form.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert!(!world.get("/login", "").await.body.contains("Your session has ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_shows_whom_it_signs_in_and_only_its_button_uses_it_up() {
    let world = world().await;
    let admin = world.admin("chief").await;
    let user = world.user("berta", Role::Viewer).await;
    let made = world.post(&format!("/settings/users/{user}/link"), &admin, "").await;
    let link = made.body.split("http://localhost/login?t=").nth(1).unwrap()[..43].to_owned();
    for _ in 0..2 {
        let shown = world.get(&format!("/login?t={link}"), "").await;
        assert!(shown.body.contains("Sign in as berta"), "{}", shown.body);
    }
    let signed = world.post("/login/link", "", &format!("t={link}&next=%2Fprofile")).await;
    assert_eq!((signed.status, signed.header("location")), (303, Some("/profile")));
    let profile = world.get("/profile", &signed.session().unwrap()).await;
    assert!(profile.body.contains("you came by a link"), "{}", profile.body);
    let again = world.post("/login/link", "", &format!("t={link}")).await;
    assert_eq!((again.status, again.session()), (422, None));
    assert!(again.body.contains("This link is over"));
    assert!(world.get(&format!("/login?t={link}"), "").await.body.contains("This link is over"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_on_the_sign_in_page_with_the_servers_token() {
    let world = world().await;
    let token = world.token(TokenKind::User, Some(Role::Admin)).await;
    assert!(world.get("/login", "").await.body.contains("Set up the first administrator"));
    let short = world.post("/login/first", "", &format!("token={token}&name=chief&password=short")).await;
    assert_eq!(short.status, 422);
    assert!(short.body.contains("A password has 12 to 128 characters; this one has 5."), "{}", short.body);
    assert!(!short.body.contains(&token), "secrets are not sent back");
    let wrong = world.post("/login/first", "", "token=hunter2&name=chief&password=correct+horse").await;
    assert!(wrong.status == 422 && wrong.body.contains("This token opens nothing"), "{}", wrong.body);
    let made = world.post("/login/first", "", &format!("token={token}&name=chief&password=correct+horse")).await;
    assert_eq!(made.status, 303, "{}", made.body);
    assert_eq!(world.get("/settings/users", &made.session().unwrap()).await.status, 200);
    assert!(!world.get("/login", "").await.body.contains("Set up the first administrator"));
    assert_eq!(world.get("/login/first", "").await.header("location"), Some("/login"));
    assert_eq!(world.post("/login", "", "name=chief&password=correct+horse").await.status, 303);
}

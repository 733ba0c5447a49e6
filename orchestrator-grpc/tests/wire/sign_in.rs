//! People who sign in: passwords, links, sessions and their ends.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::Extension;
use axum::routing::{get, post};
use orchestrator_core::clock::Clock as _;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{NewPassword, Plaintext};
use orchestrator_core::text::UserName;
use orchestrator_db::Hint;
use orchestrator_grpc::Pages;
use orchestrator_grpc::accounts::{FirstAdmin, SessionCookie, SessionOver, SignedIn, Visitor};
use orchestrator_grpc::auth::Identity;
use orchestrator_proto::v1;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::http::{Answer, exchange};
use crate::world::{Presents, World, reason, world};

pub(crate) const PASSWORD: &str = "correct horse";

/// Pages that say who asks.
pub(crate) fn pages() -> Pages {
    let who = async |who: Option<Extension<Identity>>, over: Option<Extension<SessionOver>>| match (who, over) {
        (Some(Extension(who)), None) => format!("{} {}", who.kind(), who.name()),
        (None, Some(_)) => "over".to_owned(),
        (None, None) => "nobody".to_owned(),
        (Some(_), Some(_)) => "both".to_owned(),
    };
    let router = axum::Router::new()
        .route("/who", get(who))
        .route("/assets/who", get(who))
        .route("/change", post(async || "changed"))
        .route("/role", get(async |Extension(who): Extension<SignedIn>| who.role.to_string()));
    Pages::new(move |_| router.clone())
}

fn visitor(number: u8) -> Visitor {
    Visitor { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)), user_agent: "Firefox\r\n".to_owned() }
}

fn plain(text: &str) -> Plaintext {
    Plaintext::new(text.to_owned())
}

async fn sign_in(world: &World, name: &str, password: &str) -> Result<String, Status> {
    world.accounts.sign_in(name, plain(password), &visitor(1)).await.map(pair)
}

/// What the browser sends back of a cookie.
fn pair(cookie: SessionCookie) -> String {
    let header = cookie.into_header();
    assert!(header.is_sensitive());
    header.to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn ask(world: &World, path: &str, cookie: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n");
    exchange(world, request.as_bytes()).await
}

async fn who(world: &World, cookie: &str) -> String {
    ask(world, "/who", cookie).await.body
}

async fn admin(world: &World) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(world.channel().await)
}

async fn create(world: &World, root: &Presents, name: &str, role: Role) -> v1::User {
    let user = v1::CreateUserRequest {
        name: name.to_owned(),
        role: role.to_string(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    };
    admin(world).await.create_user(root.on(user)).await.unwrap().into_inner().user.unwrap()
}

fn update(user: &str) -> v1::UpdateUserRequest {
    v1::UpdateUserRequest { user: user.to_owned(), ..Default::default() }
}

async fn actions(world: &World, root: &Presents, actor: &str) -> Vec<String> {
    let request = v1::ListAuditRequest { actor: actor.to_owned(), action: "user".to_owned(), ..Default::default() };
    let entries = admin(world).await.list_audit(root.on(request)).await.unwrap().into_inner().entries;
    entries.into_iter().rev().map(|entry| format!("{} {}", entry.action, entry.subject)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_opens_pages_and_nothing_else() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "Berta", Role::Operator).await;
    let cookie = sign_in(&world, " berta ", PASSWORD).await.unwrap();
    assert!(cookie.starts_with("orchestrator=") && cookie.len() == "orchestrator=".len() + 43);
    assert_eq!(who(&world, &cookie).await, "USER Berta");
    assert_eq!(ask(&world, "/role", &cookie).await.body, "OPERATOR");
    assert_eq!(who(&world, &format!("a=b; {cookie}; c=d")).await, "USER Berta");
    // The same cookie opens neither JSON nor gRPC.
    for path in ["/rpc/orchestrator.v1.TriggerService/List", "/orchestrator.v1.TriggerService/List"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {cookie}\r\n\
             content-type: application/json\r\nsec-fetch-site: same-origin\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let answer = exchange(&world, request.as_bytes()).await;
        assert!(answer.status == 401 || answer.head.contains("grpc-status: 16"), "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_tell_whether_there_is_such_a_user() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "anna-b", Role::Viewer).await;
    create(&world, &root, "gone", Role::Viewer).await;
    let request =
        v1::CreateUserRequest { name: "link-only".to_owned(), role: "VIEWER".to_owned(), ..Default::default() };
    admin(&world).await.create_user(root.on(request)).await.unwrap();
    let disable = v1::UpdateUserRequest { disabled: Some(true), ..update("gone") };
    admin(&world).await.update_user(root.on(disable)).await.unwrap();
    let mut messages = Vec::new();
    for (name, password) in [
        ("anna-b", "wrong password"),
        ("gone", PASSWORD),
        ("link-only", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("a\0b", PASSWORD),
        (&"x".repeat(5000), PASSWORD),
        ("anna-b", &"x".repeat(5000)),
    ] {
        let refused = sign_in(&world, name, password).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "SIGN_IN_REFUSED"), "{name}");
        messages.push(refused.message().to_owned());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    // What was typed for a name is kept only where it is one.
    let failed = actions(&world, &root, "system").await;
    assert_eq!(failed.iter().filter(|row| *row == "user.sign_in_failed anna-b").count(), 2, "{failed:?}");
    assert_eq!(failed.iter().filter(|row| *row == "user.sign_in_failed (unknown name)").count(), 4, "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_stopped_for_the_account_and_then_even_the_right_password_waits() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    for number in 0..10 {
        let refused = world.accounts.sign_in("berta", plain("wrong password"), &visitor(number)).await.unwrap_err();
        assert_eq!(reason(&refused), "SIGN_IN_REFUSED");
    }
    let limited = sign_in(&world, "BERTA", PASSWORD).await.unwrap_err();
    assert_eq!((limited.code(), reason(&limited).as_str()), (Code::ResourceExhausted, "SIGN_IN_TOO_OFTEN"));
    world.clock.advance(chrono::Duration::seconds(60));
    assert_eq!(who(&world, &sign_in(&world, "berta", PASSWORD).await.unwrap()).await, "USER berta");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sign_in_makes_another_session_and_sign_out_ends_only_its_own() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let (one, other) =
        (sign_in(&world, "berta", PASSWORD).await.unwrap(), sign_in(&world, "berta", PASSWORD).await.unwrap());
    assert_ne!(one, other);
    assert_eq!((who(&world, &one).await, who(&world, &other).await), ("USER berta".into(), "USER berta".into()));
    let list = v1::ListSessionsRequest { user: "berta".to_owned(), all: false };
    let sessions = admin(&world).await.list_sessions(root.on(list)).await.unwrap().into_inner().sessions;
    assert_eq!((sessions.len(), sessions[0].user.as_str(), sessions[0].method.as_str()), (2, "berta", "PASSWORD"));
    assert_eq!((sessions[0].user_agent.as_str(), sessions[0].address.as_str()), ("Firefox", "192.0.2.1"));
    let first = sessions.last().unwrap().id.clone();
    let end = v1::EndSessionsRequest { user: "berta".to_owned(), session: first, keep_current: false };
    assert_eq!(admin(&world).await.end_sessions(root.on(end)).await.unwrap().into_inner().ended, 1);
    assert_eq!((who(&world, &one).await, who(&world, &other).await), ("over".into(), "USER berta".into()));
    let end = v1::EndSessionsRequest { user: "berta".to_owned(), ..Default::default() };
    assert_eq!(admin(&world).await.end_sessions(root.on(end.clone())).await.unwrap().into_inner().ended, 1);
    assert_eq!(who(&world, &other).await, "over");
    assert_eq!(admin(&world).await.end_sessions(root.on(end)).await.unwrap().into_inner().ended, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_over_when_it_was_idle_or_lasted_long_enough() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let idle = sign_in(&world, "berta", PASSWORD).await.unwrap();
    world.clock.advance(chrono::Duration::hours(8));
    assert_eq!(who(&world, &idle).await, "over");
    let busy = sign_in(&world, "berta", PASSWORD).await.unwrap();
    for _ in 0..3 {
        world.clock.advance(chrono::Duration::minutes(7 * 60 + 59));
        assert_eq!(who(&world, &busy).await, "USER berta");
    }
    world.clock.advance(chrono::Duration::minutes(3));
    assert_eq!(who(&world, &busy).await, "over");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_role_or_a_disabled_user_ends_sessions() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let mut service = admin(&world).await;
    let cookie = sign_in(&world, "berta", PASSWORD).await.unwrap();
    let promoted = v1::UpdateUserRequest { role: Some("OPERATOR".to_owned()), ..update("berta") };
    service.update_user(root.on(promoted)).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "over");

    let cookie = sign_in(&world, "berta", PASSWORD).await.unwrap();
    let named = v1::UpdateUserRequest { display_name: Some("Berta B.".to_owned()), ..update("berta") };
    let shown = service.update_user(root.on(named)).await.unwrap().into_inner().user.unwrap();
    assert_eq!((shown.display_name.as_str(), shown.role.as_str()), ("Berta B.", "OPERATOR"));
    assert_eq!(who(&world, &cookie).await, "USER berta", "a name ends nothing");
    let set = v1::SetPasswordRequest {
        user: "berta".to_owned(),
        password: "another horse".to_owned(),
        old_password: String::new(),
    };
    service.set_password(root.on(set)).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "over");
    assert_eq!(reason(&sign_in(&world, "berta", PASSWORD).await.unwrap_err()), "SIGN_IN_REFUSED");

    let cookie = sign_in(&world, "berta", "another horse").await.unwrap();
    let disabled = v1::UpdateUserRequest { disabled: Some(true), ..update("berta") };
    service.update_user(root.on(disabled)).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "over");
    let enabled = v1::UpdateUserRequest { disabled: Some(false), ..update("berta") };
    service.update_user(root.on(enabled)).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "over", "an ended session stays ended");
    sign_in(&world, "berta", "another horse").await.unwrap();
    assert_eq!(
        actions(&world, &root, "anna").await,
        [
            "user.create berta",
            "user.update berta",
            "user.update berta",
            "user.set_password berta",
            "user.disable berta",
            "user.enable berta"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_on_another_server_counts_when_it_is_told_or_after_five_seconds() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let cookie = sign_in(&world, "berta", PASSWORD).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "USER berta");
    end_elsewhere(&world).await;
    world.clock.advance(chrono::Duration::milliseconds(4_999));
    assert_eq!(who(&world, &cookie).await, "USER berta");
    world.clock.advance(chrono::Duration::milliseconds(1));
    assert_eq!(who(&world, &cookie).await, "over");

    let cookie = sign_in(&world, "berta", PASSWORD).await.unwrap();
    assert_eq!(who(&world, &cookie).await, "USER berta");
    end_elsewhere(&world).await;
    world.scheduler.wake(&[Hint::Tokens]);
    let over = async { while who(&world, &cookie).await != "over" {} };
    tokio::time::timeout(Duration::from_secs(10), over).await.unwrap();
}

/// Ends berta's sessions in the database, as another server would.
async fn end_elsewhere(world: &World) {
    let mut tx = world.scheduler.db().begin_write().await.unwrap();
    let user = tx.user_find("berta").await.unwrap().id;
    assert_eq!(tx.browser_session_end_of_user(user, None, world.clock.now()).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_password_needs_the_old_one_and_keeps_ones_own_session() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    // A token is no person: it has no password, and a viewer's may not set that of another.
    let viewer = world.user(Role::Viewer).await;
    let set = |user: &str| v1::SetPasswordRequest {
        user: user.to_owned(),
        password: "another horse".to_owned(),
        old_password: PASSWORD.to_owned(),
    };
    let nobody = admin(&world).await.set_password(viewer.on(set(""))).await.unwrap_err();
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    for name in ["berta", "no-such-user"] {
        let refused = admin(&world).await.set_password(viewer.on(set(name))).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_TOO_LOW"), "{name}");
    }
    for (password, field) in [("short", "password"), ("berta", "password"), (&"x".repeat(12), "password")] {
        let weak = v1::SetPasswordRequest { password: password.to_owned(), ..set("berta") };
        let refused = admin(&world).await.set_password(root.on(weak)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_one() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "one", Role::Admin).await;
    let mut service = admin(&world).await;
    let demote = |name: &str| v1::UpdateUserRequest { role: Some("VIEWER".to_owned()), ..update(name) };
    let disable = |name: &str| v1::UpdateUserRequest { disabled: Some(true), ..update(name) };
    for change in [demote("one"), disable("one")] {
        let refused = service.update_user(root.on(change)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "LAST_ADMIN"));
    }
    create(&world, &root, "two", Role::Admin).await;
    service.update_user(root.on(disable("one"))).await.unwrap();
    let refused = service.update_user(root.on(demote("two"))).await.unwrap_err();
    assert_eq!(reason(&refused), "LAST_ADMIN", "one may not sign in");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_who_demote_each_other_do_not_both_succeed() {
    for world in [world().await, crate::world::postgres_world().await] {
        let root = world.user(Role::Admin).await;
        create(&world, &root, "one", Role::Admin).await;
        create(&world, &root, "two", Role::Admin).await;
        let (mut first, mut second) = (admin(&world).await, admin(&world).await);
        let demote = |name: &str| v1::UpdateUserRequest { role: Some("VIEWER".to_owned()), ..update(name) };
        let (one, two) =
            tokio::join!(first.update_user(root.on(demote("one"))), second.update_user(root.on(demote("two"))));
        assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1, "{one:?} {two:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_once_within_ten_minutes() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let link = async || {
        let request = v1::CreateSignInLinkRequest { user: "berta".to_owned() };
        let made = admin(&world).await.create_sign_in_link(root.on(request)).await.unwrap().into_inner();
        made.path.strip_prefix("/login?t=").unwrap().to_owned()
    };
    let secret = link().await;
    assert_eq!(world.accounts.link_user(&secret).await.unwrap().unwrap().as_str(), "berta");
    let cookie = pair(world.accounts.redeem_link(&secret, &visitor(1)).await.unwrap());
    assert_eq!(who(&world, &cookie).await, "USER berta");
    for over in [secret.as_str(), "nonsense", ""] {
        let refused = world.accounts.redeem_link(over, &visitor(1)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "SIGN_IN_LINK_OVER"));
        assert_eq!(world.accounts.link_user(over).await.unwrap(), None);
    }
    let late = link().await;
    world.clock.advance(chrono::Duration::minutes(10));
    assert_eq!(reason(&world.accounts.redeem_link(&late, &visitor(1)).await.unwrap_err()), "SIGN_IN_LINK_OVER");
    let cancelled = link().await;
    let disable = v1::UpdateUserRequest { disabled: Some(true), ..update("berta") };
    admin(&world).await.update_user(root.on(disable)).await.unwrap();
    assert_eq!(reason(&world.accounts.redeem_link(&cancelled, &visitor(1)).await.unwrap_err()), "SIGN_IN_LINK_OVER");
    let request = v1::CreateSignInLinkRequest { user: "berta".to_owned() };
    let refused = admin(&world).await.create_sign_in_link(root.on(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_with_an_administrators_token_and_only_the_first() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    let viewer = world.user(Role::Viewer).await;
    let first = async |token: &str, name: &str| {
        let wanted = FirstAdmin {
            token,
            name: UserName::parse(name).unwrap(),
            password: NewPassword::parse(name, PASSWORD.to_owned()).unwrap(),
        };
        world.accounts.create_first_admin(wanted, &visitor(1)).await
    };
    assert!(world.accounts.needs_first_admin().await.unwrap());
    for token in [viewer.bearer.as_deref().unwrap(), "nonsense", ""] {
        assert_eq!(reason(&first(token, "chief").await.unwrap_err()), "TOKEN_UNKNOWN");
    }
    let token = root.bearer.clone().unwrap();
    let cookie = pair(first(&token, "chief").await.unwrap());
    assert_eq!(
        (who(&world, &cookie).await, ask(&world, "/role", &cookie).await.body),
        ("USER chief".into(), "ADMIN".into())
    );
    assert!(!world.accounts.needs_first_admin().await.unwrap());
    assert_eq!(reason(&first(&token, "second").await.unwrap_err()), "FIRST_ADMIN_EXISTS");
    sign_in(&world, "chief", PASSWORD).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_refused_when_another_site_asks_for_it() {
    let world = world().await;
    for (headers, expected) in [
        ("sec-fetch-site: same-origin\r\n", 200),
        ("origin: http://localhost\r\n", 200),
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\norigin: http://localhost\r\n", 403),
        ("origin: http://evil.example\r\n", 403),
        ("", 403),
    ] {
        let request = format!(
            "POST /change HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n"
        );
        let answer = exchange(&world, request.as_bytes()).await;
        assert_eq!(answer.status, expected, "{headers:?}: {answer:?}");
        assert_eq!(answer.body == "changed", expected == 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_open_nothing_say_so_and_files_do_not_look() {
    let world = world().await;
    assert_eq!(who(&world, "").await, "nobody");
    assert_eq!(who(&world, "other=1").await, "nobody");
    for cookie in ["orchestrator=", "orchestrator=hunter2", &format!("orchestrator={}", "a".repeat(43))] {
        assert_eq!(who(&world, cookie).await, "over", "{cookie}");
        assert_eq!(ask(&world, "/assets/who", cookie).await.body, "nobody");
    }
    assert_eq!(who(&world, &format!("__Host-orchestrator={}", "a".repeat(43))).await, "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_user_that_someone_else_has_changed_says_who_and_when() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    let before = create(&world, &root, "berta", Role::Viewer).await;
    world.clock.advance(chrono::Duration::seconds(1));
    let mut service = admin(&world).await;
    let change = |name: &str| v1::UpdateUserRequest {
        display_name: Some(name.to_owned()),
        changed_at: before.changed_at,
        ..update("berta")
    };
    service.update_user(root.on(change("Berta"))).await.unwrap();
    let stale = service.update_user(root.on(change("Bertha"))).await.unwrap_err();
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "CHANGED_MEANWHILE"));
    assert!(stale.message().contains("anna") && stale.message().contains("2026-11-22 12:00:01"), "{}", stale.message());
    let again = v1::CreateUserRequest { name: "BERTA".to_owned(), role: "VIEWER".to_owned(), ..Default::default() };
    let taken = service.create_user(root.on(again)).await.unwrap_err();
    assert_eq!((taken.code(), reason(&taken).as_str()), (Code::AlreadyExists, "NAME_EXISTS"));
}

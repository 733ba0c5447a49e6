//! Every route of the table with every kind of caller.

use orchestrator_core::id::UserId;
use orchestrator_core::identity::Role;
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_grpc::authorize::Rule;
use orchestrator_web::routes::{Route, table};

use crate::world::{Answer, World, world};

/// Who opens a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Anonymous,
    /// A person with a session.
    Signed(Role, UserId),
    /// Tokens open no page, whoever's they are.
    Bearer(TokenKind),
}

/// What the rule says of them.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    In,
    ToSignIn,
    NotAllowed,
}

fn expected(rule: Rule, caller: Caller) -> Expected {
    match (rule, caller) {
        (Rule::Anyone, _) | (Rule::Authenticated | Rule::Oneself, Caller::Signed(..)) => Expected::In,
        (Rule::User(needed), Caller::Signed(has, _)) if has >= needed => Expected::In,
        (_, Caller::Signed(..)) => Expected::NotAllowed,
        (_, Caller::Anonymous | Caller::Bearer(_)) => Expected::ToSignIn,
    }
}

fn got(answer: &Answer) -> Expected {
    let to = answer.header("location").unwrap_or_default();
    match answer.status {
        303 if to.starts_with("/login?next=") || to == "/login" && answer.session().is_none() => Expected::ToSignIn,
        401 => Expected::ToSignIn,
        403 => Expected::NotAllowed,
        _ => Expected::In,
    }
}

/// The path with something in the place of its parameters that fits nothing.
fn filled(path: &str) -> String {
    let parts =
        path.split('/').map(|part| if part.starts_with('{') { "0199c1de-7a10-7000-8000-000000000000" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(world: &World, route: &Route, caller: Caller, bearers: &[(TokenKind, String)]) -> Answer {
    // A session of its own each time: some routes end sessions.
    let cookie = match caller {
        Caller::Signed(_, user) => world.session(user).await,
        Caller::Anonymous | Caller::Bearer(_) => String::new(),
    };
    let bearer = bearers.iter().find(|(kind, _)| caller == Caller::Bearer(*kind));
    let bearer = bearer.map_or_else(String::new, |(_, token)| format!("Bearer {token}"));
    let headers = [
        ("cookie", cookie.as_str()),
        ("authorization", bearer.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    world.send(&format!("{} {} HTTP/1.1\r\n", route.method, filled(route.path)), &headers, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_one_gets_further_than_the_rule_of_a_route() {
    let world = world().await;
    let mut callers = vec![Caller::Anonymous];
    for role in Role::ALL {
        callers.push(Caller::Signed(*role, world.user(role.as_str(), *role).await));
    }
    let bearers = [
        (TokenKind::User, world.token(TokenKind::User, Some(Role::Admin)).await),
        (TokenKind::Worker, world.token(TokenKind::Worker, None).await),
        (TokenKind::Job, ApiToken::generate(TokenKind::Job).unwrap().expose().to_owned()),
    ];
    callers.extend(TokenKind::ALL.map(Caller::Bearer));
    let routes = table();
    assert!(routes.len() > 30);
    let mut wrong = Vec::new();
    for route in &routes {
        for caller in &callers {
            let answer = ask(&world, route, *caller, &bearers).await;
            if got(&answer) != expected(route.rule, *caller) || answer.status >= 500 {
                wrong.push(format!("{} {} as {caller:?}: {} {}", route.method, route.path, answer.status, answer.head));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_says_what_browsers_may_do_with_it() {
    let world = world().await;
    let admin = world.admin("chief").await;
    for route in table().iter().filter(|route| route.method == "GET") {
        for cookie in ["", admin.as_str()] {
            let answer = world.get(&filled(route.path), cookie).await;
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{}", route.path);
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{}", route.path);
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", route.path);
            assert!(answer.header("referrer-policy").is_some(), "{}", route.path);
            let kept = answer.header("cache-control").unwrap_or_default();
            assert!(kept.contains("no-store") || kept.contains("no-cache"), "{}: {kept}", route.path);
            assert!(!answer.body.contains("<script>") && !answer.body.contains(" style="), "{}", route.path);
        }
    }
}

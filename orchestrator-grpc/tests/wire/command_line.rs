//! Signing in with a password for a token: what the token opens, where it is listed, and what ends it.

use orchestrator_core::identity::Role;
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::{convert, v1};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::http::post;
use crate::sign_in::PASSWORD;
use crate::world::{Presents, World, reason, world};

pub(crate) async fn admin(world: &World) -> AdminServiceClient<Channel> {
    AdminServiceClient::new(world.channel().await)
}

pub(crate) async fn create(world: &World, root: &Presents, name: &str, role: Role) {
    let user = v1::CreateUserRequest {
        name: name.to_owned(),
        role: role.to_string(),
        password: PASSWORD.to_owned(),
        ..Default::default()
    };
    admin(world).await.create_user(root.on(user)).await.unwrap();
}

fn request(name: &str, password: &str) -> v1::SignInRequest {
    v1::SignInRequest { name: name.to_owned(), password: password.to_owned(), client: "orchestrator 1\r\n".to_owned() }
}

/// Signs in without any token.
async fn sign_in(world: &World, name: &str, password: &str) -> Result<v1::SignInResponse, Status> {
    admin(world).await.sign_in(Request::new(request(name, password))).await.map(tonic::Response::into_inner)
}

pub(crate) async fn signed_in(world: &World, name: &str) -> Presents {
    Presents::bearer(&sign_in(world, name, PASSWORD).await.unwrap().secret)
}

async fn who(world: &World, presents: &Presents) -> Result<v1::WhoAmIResponse, String> {
    let answer = admin(world).await.who_am_i(presents.on(v1::WhoAmIRequest {})).await;
    answer.map(tonic::Response::into_inner).map_err(|status| reason(&status))
}

async fn sessions(world: &World, presents: &Presents) -> Vec<v1::Session> {
    let request = v1::ListSessionsRequest::default();
    admin(world).await.list_sessions(presents.on(request)).await.unwrap().into_inner().sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_answered_with_a_token_of_ones_own_that_ends_by_itself() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "Berta", Role::Operator).await;
    let answer = sign_in(&world, " berta ", PASSWORD).await.unwrap();
    let token = answer.token.unwrap();
    assert_eq!((token.kind.as_str(), token.name.as_str(), token.role.as_str()), ("USER", "Berta", "OPERATOR"));
    assert!(answer.secret.starts_with("orc_user_") && !token.user_id.is_empty(), "{token:?}");
    let berta = Presents::bearer(&answer.secret);
    let is_berta = who(&world, &berta).await.unwrap();
    assert_eq!((is_berta.name.as_str(), is_berta.role.as_str()), ("Berta", "OPERATOR"));
    assert_eq!(is_berta.user_id, token.user_id);

    // Listed as a session of the person, and among all tokens.
    let listed = sessions(&world, &berta).await;
    assert_eq!((listed.len(), listed[0].id.as_str(), listed[0].current), (1, token.id.as_str(), true));
    assert_eq!((listed[0].method.as_str(), listed[0].user.as_str()), ("COMMAND_LINE", "Berta"));
    assert_eq!((listed[0].address.as_str(), listed[0].user_agent.as_str()), ("127.0.0.1", "orchestrator 1"));
    let tokens = admin(&world).await.list_tokens(root.on(v1::ListTokensRequest::default())).await.unwrap();
    assert!(tokens.into_inner().tokens.iter().any(|listed| listed.id == token.id && listed.user_id == token.user_id));

    let audit = v1::ListAuditRequest { actor: "Berta".to_owned(), ..Default::default() };
    let rows = admin(&world).await.list_audit(root.on(audit)).await.unwrap().into_inner().entries;
    assert_eq!((rows.len(), rows[0].action.as_str(), rows[0].subject.as_str()), (1, "user.sign_in", "Berta"));
    assert!(rows[0].after.contains("COMMAND_LINE") && !rows[0].after.contains(&answer.secret), "{}", rows[0].after);

    let users = admin(&world).await.list_users(root.on(v1::ListUsersRequest::default())).await.unwrap().into_inner();
    let last = users.users.iter().find(|user| user.name == "Berta").unwrap().last_sign_in_at;
    assert_eq!(last, Some(convert::timestamp(world.scheduler.now())));

    world.clock.advance(chrono::Duration::days(30));
    assert_eq!(who(&world, &berta).await.unwrap_err(), "TOKEN_EXPIRED");
    assert_eq!(sessions(&world, &signed_in(&world, "berta").await).await.len(), 1);
    // One that has ended is kept for a month and then forgotten, at the next sign-in.
    let is_kept = async || {
        let all = v1::ListTokensRequest { include_ended: true };
        let tokens = admin(&world).await.list_tokens(root.on(all)).await.unwrap().into_inner().tokens;
        tokens.iter().any(|listed| listed.id == token.id)
    };
    assert!(is_kept().await);
    world.clock.advance(chrono::Duration::days(31));
    signed_in(&world, "berta").await;
    assert!(!is_kept().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_limits_are_those_of_the_page() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    create(&world, &root, "gone", Role::Viewer).await;
    let disable = v1::UpdateUserRequest { user: "gone".to_owned(), disabled: Some(true), ..Default::default() };
    admin(&world).await.update_user(root.on(disable)).await.unwrap();
    let mut messages = Vec::new();
    for (name, password) in [("berta", "wrong password"), ("gone", PASSWORD), ("nobody", PASSWORD)] {
        let refused = sign_in(&world, name, password).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "SIGN_IN_REFUSED"), "{name}");
        messages.push(refused.message().to_owned());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(sign_in(&world, "", "").await.unwrap_err().code(), Code::InvalidArgument);

    // Guesses here and on the page are counted together; whoever knows the password has not guessed.
    signed_in(&world, "berta").await;
    for _ in 1..10 {
        let visitor = orchestrator_grpc::accounts::Visitor {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            user_agent: String::new(),
        };
        let wrong = orchestrator_core::secret::Plaintext::new("wrong password".to_owned());
        world.accounts.sign_in("berta", wrong, &visitor).await.unwrap_err();
    }
    let limited = sign_in(&world, "berta", PASSWORD).await.unwrap_err();
    assert_eq!((limited.code(), reason(&limited).as_str()), (Code::ResourceExhausted, "SIGN_IN_TOO_OFTEN"));

    let failed = v1::ListAuditRequest { action: "user.sign_in_failed".to_owned(), ..Default::default() };
    let rows = admin(&world).await.list_audit(root.on(failed)).await.unwrap().into_inner().entries;
    let of = |name: &str| rows.iter().filter(|row| row.subject == name).count();
    assert_eq!((of("berta"), of("gone"), of("(unknown name)")), (10, 1, 1));
    assert!(rows.iter().all(|row| row.after.contains("127.0.0.1")), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_signs_in_too_and_knows_from_where() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let body = format!("{{\"name\": \"berta\", \"password\": \"{PASSWORD}\"}}");
    let answer = post(&world, "/rpc/orchestrator.v1.AdminService/SignIn", &Presents::default(), &body).await;
    let secret = answer.json()["secret"].as_str().unwrap().to_owned();
    let listed = sessions(&world, &Presents::bearer(&secret)).await;
    assert_eq!(listed[0].address, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_own_token_and_no_other() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let (one, other) = (signed_in(&world, "berta").await, signed_in(&world, "berta").await);
    let sign_out = async |presents: &Presents| {
        admin(&world).await.sign_out(presents.on(v1::SignOutRequest {})).await.unwrap().into_inner().ended
    };
    assert!(sign_out(&one).await);
    assert_eq!(who(&world, &one).await.unwrap_err(), "TOKEN_REVOKED");
    who(&world, &other).await.unwrap();
    let trail = v1::ListAuditRequest { action: "user.sign_out".to_owned(), ..Default::default() };
    let rows = admin(&world).await.list_audit(root.on(trail)).await.unwrap().into_inner().entries;
    assert_eq!((rows.len(), rows[0].actor.as_str(), rows[0].subject.as_str()), (1, "berta", "berta"));
    assert!(rows[0].before.contains("COMMAND_LINE"), "{rows:?}");
    // A token that an administrator made may be a script's.
    assert!(!sign_out(&root).await);
    who(&world, &root).await.unwrap();

    // From another session, by its id.
    let id = sessions(&world, &other).await[0].id.clone();
    let third = signed_in(&world, "berta").await;
    let end = v1::EndSessionsRequest { session: id, ..Default::default() };
    assert_eq!(admin(&world).await.end_sessions(third.on(end)).await.unwrap().into_inner().ended, 1);
    assert_eq!(who(&world, &other).await.unwrap_err(), "TOKEN_REVOKED");
    who(&world, &third).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_persons_sessions_ends_the_tokens_too() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "berta", Role::Viewer).await;
    let update = v1::UpdateUserRequest { user: "berta".to_owned(), ..Default::default() };
    let ends = [
        v1::UpdateUserRequest { role: Some("OPERATOR".to_owned()), ..update.clone() },
        v1::UpdateUserRequest { disabled: Some(true), ..update.clone() },
    ];
    for end in ends {
        let berta = signed_in(&world, "berta").await;
        admin(&world).await.update_user(root.on(end.clone())).await.unwrap();
        assert_eq!(who(&world, &berta).await.unwrap_err(), "TOKEN_REVOKED", "{end:?}");
    }
    let enable = v1::UpdateUserRequest { disabled: Some(false), ..update };
    admin(&world).await.update_user(root.on(enable)).await.unwrap();

    // One's own new password leaves the session that set it.
    let (here, there) = (signed_in(&world, "berta").await, signed_in(&world, "berta").await);
    let set = |old: &str, new: &str| v1::SetPasswordRequest {
        user: String::new(),
        password: new.to_owned(),
        old_password: old.to_owned(),
    };
    let refused = admin(&world).await.set_password(here.on(set("wrong", "another horse"))).await.unwrap_err();
    assert_eq!(reason(&refused), "WRONG_PASSWORD");
    admin(&world).await.set_password(here.on(set(PASSWORD, "another horse"))).await.unwrap();
    who(&world, &here).await.unwrap();
    assert_eq!(who(&world, &there).await.unwrap_err(), "TOKEN_REVOKED");

    let all = v1::EndSessionsRequest { user: "berta".to_owned(), ..Default::default() };
    assert_eq!(admin(&world).await.end_sessions(root.on(all)).await.unwrap().into_inner().ended, 1);
    assert_eq!(who(&world, &here).await.unwrap_err(), "TOKEN_REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_out_at_once_and_keeps_its_name_in_the_trail() {
    let world = world().await;
    let root = world.user(Role::Admin).await;
    create(&world, &root, "anna", Role::Admin).await;
    let anna = signed_in(&world, "anna").await;
    let delete = |user: &str, oneself: bool| v1::DeleteUserRequest { user: user.to_owned(), oneself };
    let mut service = admin(&world).await;
    // The only administrator who may sign in, even when someone means it.
    let last = service.delete_user(anna.on(delete("Anna", true))).await.unwrap_err();
    assert_eq!(reason(&last), "LAST_ADMIN");
    create(&world, &root, "berta", Role::Admin).await;
    let berta = signed_in(&world, "berta").await;
    let own = service.delete_user(berta.on(delete("berta", false))).await.unwrap_err();
    assert_eq!(reason(&own), "ONESELF");
    create(&world, &anna, "carl", Role::Operator).await;
    let carl = signed_in(&world, "carl").await;
    let refused = service.delete_user(carl.on(delete("anna", false))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);

    let gone = service.delete_user(berta.on(delete("ANNA", false))).await.unwrap().into_inner();
    assert_eq!((gone.user.unwrap().name.as_str(), gone.ended_sessions), ("anna", 1));
    assert_eq!(who(&world, &anna).await.unwrap_err(), "TOKEN_UNKNOWN");
    assert!(sign_in(&world, "anna", PASSWORD).await.is_err());
    let again = service.delete_user(berta.on(delete("anna", false))).await.unwrap_err();
    assert_eq!(reason(&again), "USER_NOT_FOUND");
    let trail = v1::ListAuditRequest { subject: "anna".to_owned(), ..Default::default() };
    let trail = service.list_audit(root.on(trail)).await.unwrap().into_inner().entries;
    assert_eq!((trail[0].action.as_str(), trail[0].actor.as_str()), ("user.delete", "berta"));
    let did = v1::ListAuditRequest { actor: "anna".to_owned(), ..Default::default() };
    let did = service.list_audit(root.on(did)).await.unwrap().into_inner().entries;
    assert!(did.iter().any(|entry| entry.subject == "carl"), "what it did keeps its name: {did:?}");
    let users = service.list_users(root.on(v1::ListUsersRequest {})).await.unwrap().into_inner().users;
    assert_eq!(users.iter().find(|user| user.name == "carl").unwrap().created_by, "anna");
}

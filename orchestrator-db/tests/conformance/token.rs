//! API tokens.

use chrono::Duration;
use orchestrator_core::id::{TokenId, UserId};
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::text::{ActorName, UserName};
use orchestrator_db::{DbError, NewToken, NewUser, TokenOfPerson};

use crate::harness::TestDb;
use crate::queue::world::{at, execute, literal, t0};

conformance! {
    a_token_is_found_by_its_hash,
    many_tokens_are_found_at_once,
    a_revoked_token_stays_known_and_is_ended_once,
    ended_tokens_are_listed_only_when_asked_for,
    a_token_is_found_by_id_prefix_and_name,
    the_last_use_is_kept_to_the_minute_and_never_moves_back,
    an_admin_counts_until_its_token_ends,
    of_servers_that_start_together_one_makes_the_first_administrator,
    the_same_secret_twice_is_a_conflict,
    a_token_that_cannot_be_read_does_not_break_the_list,
    tokens_of_people_are_listed_and_ended_by_person,
}

fn token(name: &str, hash: u8) -> NewToken {
    NewToken {
        id: TokenId::generate(),
        kind: IdentityKind::User,
        name: ActorName::parse(name).unwrap(),
        role: Some(Role::Operator),
        hash: [hash; 32],
        prefix: format!("orc_user_{hash:04}…"),
        created_by: Some(ActorName::parse("root").unwrap()),
        expires_at: None,
        person: None,
    }
}

async fn a_token_is_found_by_its_hash(db: TestDb) {
    let new = NewToken { expires_at: Some(at(60)), ..token("anna", 1) };
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&new, t0()).await.unwrap();
    let stored = tx.token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((stored.id, stored.name, stored.role), (new.id, new.name, new.role));
    assert_eq!((stored.created_at, stored.expires_at, stored.revoked_at), (t0(), Some(at(60)), None));
    assert_eq!(tx.token_by_hash(&[2; 32]).await.unwrap(), None);
}

async fn many_tokens_are_found_at_once(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let (anna, bert) = (token("anna", 1), token("bert", 2));
    for new in [&anna, &bert] {
        tx.token_insert(new, t0()).await.unwrap();
    }
    tx.token_revoke(bert.id, at(1)).await.unwrap();
    let mut found = tx.tokens_by_hash(&[[1; 32], [2; 32], [3; 32]]).await.unwrap();
    found.sort_by_key(|(hash, _)| *hash);
    let found: Vec<_> = found.into_iter().map(|(hash, token)| (hash, token.id, token.revoked_at)).collect();
    assert_eq!(found, [([1; 32], anna.id, None), ([2; 32], bert.id, Some(at(1)))]);
    assert!(tx.tokens_by_hash(&[]).await.unwrap().is_empty());
}

async fn a_revoked_token_stays_known_and_is_ended_once(db: TestDb) {
    let new = token("anna", 1);
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&new, t0()).await.unwrap();
    assert!(tx.token_revoke(new.id, at(1)).await.unwrap());
    assert!(!tx.token_revoke(new.id, at(2)).await.unwrap());
    let stored = tx.token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(stored.revoked_at, Some(at(1)));
    assert!(!stored.is_live_at(at(1)));
}

async fn ended_tokens_are_listed_only_when_asked_for(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let (live, revoked) = (token("anna", 1), token("bert", 2));
    let expired = NewToken { expires_at: Some(at(5)), ..token("carl", 3) };
    for new in [&live, &revoked, &expired] {
        tx.token_insert(new, t0()).await.unwrap();
    }
    tx.token_revoke(revoked.id, t0()).await.unwrap();
    let names = async |tx: &mut orchestrator_db::Tx, ended, now| {
        let listed = tx.token_list(ended, now).await.unwrap().rows;
        listed.into_iter().map(|token| token.name.into_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut tx, false, at(4)).await, ["anna", "carl"]);
    assert_eq!(names(&mut tx, false, at(5)).await, ["anna"]);
    assert_eq!(names(&mut tx, true, at(5)).await, ["anna", "bert", "carl"]);
}

async fn a_token_is_found_by_id_prefix_and_name(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let (old, new) = (token("anna", 1), token("anna", 2));
    tx.token_insert(&old, t0()).await.unwrap();
    tx.token_insert(&new, t0()).await.unwrap();
    for key in [new.id.to_string(), new.prefix.clone(), "orc_user_0002".to_owned()] {
        assert_eq!(tx.token_find(&key, at(1)).await.unwrap().id, new.id, "{key}");
    }
    assert!(matches!(tx.token_find("anna", at(1)).await, Err(DbError::Ambiguous { .. })));
    tx.token_revoke(old.id, at(1)).await.unwrap();
    assert_eq!(tx.token_find("anna", at(1)).await.unwrap().id, new.id);
    assert!(matches!(tx.token_find("nobody", at(1)).await, Err(DbError::NotFound { .. })));
}

async fn the_last_use_is_kept_to_the_minute_and_never_moves_back(db: TestDb) {
    let new = token("anna", 1);
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&new, t0()).await.unwrap();
    for (used, expected) in [(at(61), at(60)), (at(119), at(60)), (at(125), at(120)), (at(3), at(120))] {
        tx.token_touch(&[(new.id, used - Duration::seconds(1)), (new.id, used)]).await.unwrap();
        assert_eq!(tx.token_by_hash(&[1; 32]).await.unwrap().unwrap().last_used_at, Some(expected));
    }
}

async fn an_admin_counts_until_its_token_ends(db: TestDb) {
    let admin = NewToken { role: Some(Role::Admin), ..token("root", 1) };
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&token("anna", 2), t0()).await.unwrap();
    assert!(!tx.token_any_admin(t0()).await.unwrap());
    let later = t0() + chrono::Duration::hours(1);
    let brief = NewToken { role: Some(Role::Admin), expires_at: Some(later), ..token("brief", 3) };
    tx.token_insert(&brief, t0()).await.unwrap();
    assert!(tx.token_any_admin(t0()).await.unwrap());
    assert!(!tx.token_any_admin(later).await.unwrap(), "its token has expired");
    tx.token_insert(&admin, t0()).await.unwrap();
    assert!(tx.token_any_admin(later).await.unwrap());
    tx.token_revoke(admin.id, t0()).await.unwrap();
    assert!(!tx.token_any_admin(later).await.unwrap());
}

async fn the_same_secret_twice_is_a_conflict(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&token("anna", 1), t0()).await.unwrap();
    assert!(matches!(tx.token_insert(&token("bert", 1), t0()).await, Err(DbError::Conflict { .. })));
}

async fn a_token_that_cannot_be_read_does_not_break_the_list(db: TestDb) {
    let (good, bad) = (token("anna", 1), token("bert", 2));
    let mut tx = db.begin_write().await.unwrap();
    tx.token_insert(&good, t0()).await.unwrap();
    tx.token_insert(&bad, t0()).await.unwrap();
    tx.commit().await.unwrap();
    execute(&db, format!("UPDATE tokens SET role = 'KING' WHERE id = {}", literal(&db, bad.id.as_uuid()))).await;
    let listed = db.begin_read().await.unwrap().token_list(false, at(1)).await.unwrap();
    assert_eq!((listed.rows.len(), listed.corrupt[0].row.clone()), (1, bad.id.to_string()));
}

async fn tokens_of_people_are_listed_and_ended_by_person(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let mut people = Vec::new();
    for name in ["anna", "bert"] {
        let user = NewUser {
            id: UserId::generate(),
            name: UserName::parse(name).unwrap(),
            display_name: None,
            role: Role::Operator,
            password: None,
            created_by: None,
        };
        tx.user_insert(&user, t0()).await.unwrap();
        people.push(user.id);
    }
    let (anna, bert) = (people[0], people[1]);
    let of = |user: UserId, hash: u8, end: i64| NewToken {
        expires_at: Some(at(end)),
        person: Some(TokenOfPerson { user, address: "192.0.2.1".to_owned(), user_agent: "orchestrator".to_owned() }),
        ..token("anna", hash)
    };
    let mine = [of(anna, 1, 60), of(anna, 2, 60), of(anna, 3, 5)];
    let theirs = of(bert, 4, 60);
    for new in mine.iter().chain([&theirs, &token("script", 5)]) {
        tx.token_insert(new, t0()).await.unwrap();
    }
    let live = async |tx: &mut orchestrator_db::Tx, user| {
        let mut ids: Vec<_> =
            tx.token_list_of_people(user, at(5)).await.unwrap().rows.into_iter().map(|t| t.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(live(&mut tx, Some(anna)).await, [mine[0].id, mine[1].id], "one has expired");
    assert_eq!(live(&mut tx, None).await, [mine[0].id, mine[1].id, theirs.id]);
    let stored = tx.token_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!(stored.person, mine[0].person);

    assert!(!tx.token_revoke_of_person(theirs.id, anna, at(5)).await.unwrap(), "it is not hers");
    assert!(!tx.token_revoke_of_person(mine[2].id, anna, at(5)).await.unwrap(), "it has expired");
    assert!(tx.token_revoke_of_person(theirs.id, bert, at(5)).await.unwrap());
    assert_eq!(tx.token_revoke_all_of_person(anna, Some(mine[1].id), at(5)).await.unwrap(), 1);
    assert_eq!(live(&mut tx, None).await, [mine[1].id]);
    assert_eq!(tx.token_revoke_all_of_person(anna, None, at(5)).await.unwrap(), 1);
    assert!(tx.token_by_hash(&[5; 32]).await.unwrap().unwrap().is_live_at(at(5)), "a script's token is nobody's");

    tx.token_forget_of_person(anna, at(6)).await.unwrap();
    assert_eq!(tx.token_by_hash(&[3; 32]).await.unwrap(), None);
    assert!(tx.token_by_hash(&[1; 32]).await.unwrap().is_some());
}

async fn of_servers_that_start_together_one_makes_the_first_administrator(db: TestDb) {
    let mut servers = tokio::task::JoinSet::new();
    for number in 1..=8 {
        let db = db.clone();
        servers.spawn(async move {
            let mut tx = db.begin_write().await.unwrap();
            tx.token_lock_first_admin().await.unwrap();
            let is_first = !tx.token_any_admin(t0()).await.unwrap();
            if is_first {
                let admin = NewToken { role: Some(Role::Admin), ..token("admin", number) };
                tx.token_insert(&admin, t0()).await.unwrap();
            }
            tx.commit().await.unwrap();
            is_first
        });
    }
    let made = servers.join_all().await.into_iter().filter(|is_first| *is_first).count();
    assert_eq!(made, 1);
}

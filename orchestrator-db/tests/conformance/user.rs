//! People who sign in, their sessions and their links.

use chrono::TimeDelta;
use orchestrator_core::id::{SignInId, TokenId, UserId};
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::PasswordHash;
use orchestrator_core::text::{ActorName, DisplayName, UserName};
use orchestrator_db::{DbError, NewBrowserSession, NewSignInLink, NewToken, NewUser, StoredUser, TokenOfPerson, Tx};

use crate::harness::TestDb;
use crate::queue::world::{at, execute, literal, t0};
use crate::world::write;

conformance! {
    a_user_is_found_by_name_in_any_case_and_by_id,
    two_names_that_differ_only_in_case_are_a_conflict,
    a_change_of_a_user_is_kept_with_who_made_it,
    only_administrators_who_may_sign_in_count,
    a_user_that_cannot_be_read_does_not_break_the_list,
    a_session_lives_until_it_is_idle_expired_or_ended,
    all_sessions_of_a_user_end_but_the_one_that_stays,
    only_live_sessions_are_listed,
    a_link_signs_in_once_and_not_after_its_time,
    of_many_who_take_a_link_at_once_one_gets_it,
    old_sessions_and_links_are_forgotten,
    a_deleted_user_leaves_nothing_to_sign_in_with_and_frees_its_name,
}

fn user(name: &str, role: Role) -> NewUser {
    NewUser {
        id: UserId::generate(),
        name: UserName::parse(name).unwrap(),
        display_name: None,
        role,
        password: Some(PasswordHash::from_stored("$argon2id$x".to_owned())),
        created_by: Some(by("root")),
    }
}

fn by(name: &str) -> ActorName {
    ActorName::parse(name).unwrap()
}

async fn stored(tx: &mut Tx, new: &NewUser) -> StoredUser {
    tx.user_insert(new, t0()).await.unwrap();
    tx.user_by_id(new.id).await.unwrap().unwrap()
}

fn session(user: UserId, hash: u8) -> NewBrowserSession {
    NewBrowserSession {
        id: SignInId::generate(),
        hash: [hash; 32],
        user,
        method: "PASSWORD",
        expires_at: at(1000),
        address: "127.0.0.1".to_owned(),
        user_agent: "Firefox".to_owned(),
    }
}

fn link(user: UserId, hash: u8) -> NewSignInLink {
    NewSignInLink { hash: [hash; 32], user, created_by: Some(by("root")), expires_at: at(600) }
}

async fn a_user_is_found_by_name_in_any_case_and_by_id(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let new = NewUser { display_name: Some(DisplayName::parse("Åse Holm").unwrap()), ..user("Åse", Role::Operator) };
    let kept = stored(&mut tx, &new).await;
    assert_eq!((kept.name.as_str(), kept.role, kept.password_changed_at), ("Åse", Role::Operator, Some(t0())));
    assert_eq!((&kept.display_name, &kept.password), (&new.display_name, &new.password));
    for name in ["Åse", "åse", "ÅSE", " åSE "] {
        assert_eq!(tx.user_by_name(name).await.unwrap().as_ref(), Some(&kept), "{name}");
    }
    assert_eq!(tx.user_find(&new.id.to_string()).await.unwrap(), kept);
    assert!(matches!(tx.user_find("nobody").await, Err(DbError::NotFound { .. })));
    assert_eq!(tx.user_by_name("ase").await.unwrap(), None);
}

async fn two_names_that_differ_only_in_case_are_a_conflict(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    tx.user_insert(&user("Øjvind", Role::Viewer), t0()).await.unwrap();
    let again = tx.user_insert(&user("øJVIND", Role::Viewer), t0()).await;
    assert!(matches!(again, Err(DbError::Conflict { .. })));
}

async fn a_change_of_a_user_is_kept_with_who_made_it(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let before = stored(&mut tx, &user("anna", Role::Viewer)).await;
    let changed = StoredUser {
        role: Role::Admin,
        disabled_at: Some(at(5)),
        display_name: Some(DisplayName::parse("Anna").unwrap()),
        changed_at: at(5),
        changed_by: Some(by("bert")),
        ..before
    };
    tx.user_update(&changed).await.unwrap();
    tx.user_set_password(changed.id, &PasswordHash::from_stored("other".to_owned()), &by("carl"), at(6)).await.unwrap();
    tx.user_signed_in(changed.id, at(7)).await.unwrap();
    let expected = StoredUser {
        password: Some(PasswordHash::from_stored("other".to_owned())),
        password_changed_at: Some(at(6)),
        changed_at: at(6),
        changed_by: Some(by("carl")),
        last_sign_in_at: Some(at(7)),
        ..changed
    };
    assert_eq!(tx.user_lock(expected.id).await.unwrap(), expected);
    let nobody = StoredUser { id: UserId::generate(), ..expected };
    assert!(matches!(tx.user_update(&nobody).await, Err(DbError::NotFound { .. })));
}

async fn only_administrators_who_may_sign_in_count(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    stored(&mut tx, &user("viewer", Role::Viewer)).await;
    assert!(!tx.user_any_admin().await.unwrap());
    let admin = stored(&mut tx, &NewUser { password: None, ..user("admin", Role::Admin) }).await;
    assert!(tx.user_any_admin().await.unwrap());
    assert!(!tx.user_any_admin_with_password().await.unwrap());
    let hash = PasswordHash::from_stored("x".to_owned());
    tx.user_set_password(admin.id, &hash, &by("root"), t0()).await.unwrap();
    assert!(tx.user_any_admin_with_password().await.unwrap());
    assert_eq!(tx.user_lock_admins().await.unwrap(), [admin.id]);
    tx.user_update(&StoredUser { disabled_at: Some(t0()), ..admin }).await.unwrap();
    assert!(!tx.user_any_admin().await.unwrap() && !tx.user_any_admin_with_password().await.unwrap());
    assert!(tx.user_lock_admins().await.unwrap().is_empty());
}

async fn a_user_that_cannot_be_read_does_not_break_the_list(db: TestDb) {
    let (good, bad) = (user("anna", Role::Viewer), user("bert", Role::Viewer));
    write!(db, |tx| tx.user_insert(&good, t0()));
    write!(db, |tx| tx.user_insert(&bad, t0()));
    execute(&db, format!("UPDATE users SET role = 'KING' WHERE id = {}", literal(&db, bad.id.as_uuid()))).await;
    let listed = db.begin_read().await.unwrap().user_list().await.unwrap();
    assert_eq!((listed.rows.len(), listed.corrupt[0].row.clone()), (1, bad.id.to_string()));
}

async fn a_session_lives_until_it_is_idle_expired_or_ended(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Viewer)).await;
    let new = session(anna.id, 1);
    tx.browser_session_insert(&new, t0(), t0()).await.unwrap();
    let idle = TimeDelta::seconds(100);
    let found = tx.browser_session_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.id, found.user, found.user_agent.as_str()), (new.id, anna.id, "Firefox"));
    assert!(found.is_live_at(at(99), idle) && !found.is_live_at(at(100), idle));
    tx.browser_session_touch(new.id, at(950)).await.unwrap();
    tx.browser_session_touch(new.id, at(10)).await.unwrap();
    let found = tx.browser_session_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert!(found.is_live_at(at(999), idle), "it was seen at 950");
    assert!(!found.is_live_at(at(1000), idle), "its time is over");
    let bert = stored(&mut tx, &user("bert", Role::Viewer)).await;
    assert!(!tx.browser_session_end(new.id, bert.id, at(951)).await.unwrap(), "it is not bert's");
    assert!(tx.browser_session_end(new.id, anna.id, at(951)).await.unwrap());
    assert!(!tx.browser_session_end(new.id, anna.id, at(952)).await.unwrap(), "it has ended");
    assert!(!tx.browser_session_by_hash(&[1; 32]).await.unwrap().unwrap().is_live_at(at(951), idle));
    assert_eq!(tx.browser_session_by_hash(&[2; 32]).await.unwrap(), None);
}

async fn all_sessions_of_a_user_end_but_the_one_that_stays(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Viewer)).await;
    let bert = stored(&mut tx, &user("bert", Role::Viewer)).await;
    let sessions = [session(anna.id, 1), session(anna.id, 2), session(anna.id, 3), session(bert.id, 4)];
    for new in &sessions {
        tx.browser_session_insert(new, t0(), t0()).await.unwrap();
    }
    assert_eq!(tx.browser_session_end_of_user(anna.id, Some(sessions[1].id), at(1)).await.unwrap(), 2);
    let left: Vec<SignInId> = ids(&mut tx, None).await;
    assert_eq!(left, [sessions[3].id, sessions[1].id]);
    assert_eq!(tx.browser_session_end_of_user(anna.id, None, at(1)).await.unwrap(), 1);
    assert_eq!(ids(&mut tx, None).await, [sessions[3].id]);
}

async fn ids(tx: &mut Tx, user: Option<UserId>) -> Vec<SignInId> {
    let listed = tx.browser_session_list(user, at(2), at(-100)).await.unwrap().rows;
    listed.into_iter().map(|session| session.id).collect()
}

async fn only_live_sessions_are_listed(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Viewer)).await;
    let bert = stored(&mut tx, &user("bert", Role::Viewer)).await;
    let (live, idle) = (session(anna.id, 1), session(anna.id, 2));
    let expired = NewBrowserSession { expires_at: at(1), ..session(anna.id, 3) };
    let other = session(bert.id, 4);
    for new in [&live, &expired, &other] {
        tx.browser_session_insert(new, t0(), at(-1000)).await.unwrap();
    }
    tx.browser_session_insert(&idle, at(-200), at(-1000)).await.unwrap();
    assert_eq!(ids(&mut tx, Some(anna.id)).await, [live.id]);
    assert_eq!(ids(&mut tx, None).await, [other.id, live.id]);
}

async fn a_link_signs_in_once_and_not_after_its_time(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Viewer)).await;
    for hash in [1, 2, 3] {
        tx.sign_in_link_insert(&link(anna.id, hash), t0(), t0()).await.unwrap();
    }
    assert_eq!(tx.sign_in_link_user(&[1; 32], at(599)).await.unwrap(), Some(anna.id));
    assert_eq!(tx.sign_in_link_take(&[1; 32], at(599)).await.unwrap(), Some(anna.id));
    assert_eq!(tx.sign_in_link_take(&[1; 32], at(599)).await.unwrap(), None, "it was used");
    assert_eq!(tx.sign_in_link_user(&[1; 32], at(599)).await.unwrap(), None);
    assert_eq!(tx.sign_in_link_take(&[2; 32], at(600)).await.unwrap(), None, "its time is over");
    assert_eq!(tx.sign_in_link_take(&[9; 32], at(1)).await.unwrap(), None);
    assert_eq!(tx.sign_in_link_cancel(anna.id, at(2)).await.unwrap(), 2);
    assert_eq!(tx.sign_in_link_take(&[3; 32], at(3)).await.unwrap(), None, "it was cancelled");
}

async fn of_many_who_take_a_link_at_once_one_gets_it(db: TestDb) {
    let anna = user("anna", Role::Viewer);
    write!(db, |tx| tx.user_insert(&anna, t0()));
    write!(db, |tx| tx.sign_in_link_insert(&link(anna.id, 1), t0(), t0()));
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let db: orchestrator_db::Db = db.clone();
        takers.spawn(async move {
            let mut tx = db.begin_write().await.unwrap();
            let taken = tx.sign_in_link_take(&[1; 32], at(1)).await.unwrap();
            tx.commit().await.unwrap();
            taken.is_some()
        });
    }
    let taken = takers.join_all().await;
    assert_eq!(taken.into_iter().filter(|got| *got).count(), 1);
}

async fn old_sessions_and_links_are_forgotten(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Viewer)).await;
    tx.browser_session_insert(&session(anna.id, 1), t0(), t0()).await.unwrap();
    tx.sign_in_link_insert(&link(anna.id, 1), t0(), t0()).await.unwrap();
    let later = NewBrowserSession { expires_at: at(9000), ..session(anna.id, 2) };
    tx.browser_session_insert(&later, at(2000), at(1001)).await.unwrap();
    let link = NewSignInLink { expires_at: at(9000), ..link(anna.id, 2) };
    tx.sign_in_link_insert(&link, at(2000), at(601)).await.unwrap();
    assert_eq!(tx.browser_session_by_hash(&[1; 32]).await.unwrap(), None);
    assert!(tx.browser_session_by_hash(&[2; 32]).await.unwrap().is_some());
    // A link that is forgotten does not even clash with one of the same secret.
    tx.sign_in_link_insert(&NewSignInLink { hash: [1; 32], ..link }, at(2000), at(601)).await.unwrap();
}

async fn a_deleted_user_leaves_nothing_to_sign_in_with_and_frees_its_name(db: TestDb) {
    let mut tx = db.begin_write().await.unwrap();
    let anna = stored(&mut tx, &user("anna", Role::Admin)).await;
    let bert = stored(&mut tx, &user("bert", Role::Viewer)).await;
    for (hash, whose) in [(1, &anna), (2, &bert)] {
        tx.browser_session_insert(&session(whose.id, hash), t0(), t0()).await.unwrap();
        tx.sign_in_link_insert(&link(whose.id, hash), t0(), t0()).await.unwrap();
        let of = TokenOfPerson { user: whose.id, address: "127.0.0.1".to_owned(), user_agent: "x".to_owned() };
        let token = NewToken {
            id: TokenId::generate(),
            kind: IdentityKind::User,
            name: by(whose.name.as_str()),
            role: Some(whose.role),
            hash: [hash; 32],
            prefix: "orc_user_0000".to_owned(),
            created_by: None,
            expires_at: Some(at(1000)),
            person: Some(of),
        };
        tx.token_insert(&token, t0()).await.unwrap();
    }
    tx.user_delete(anna.id).await.unwrap();
    assert_eq!(tx.user_by_name("anna").await.unwrap(), None);
    assert_eq!(tx.browser_session_by_hash(&[1; 32]).await.unwrap(), None);
    assert_eq!(tx.sign_in_link_user(&[1; 32], at(1)).await.unwrap(), None);
    let left = tx.token_list_of_people(None, at(1)).await.unwrap().rows;
    assert_eq!(left.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["bert"]);
    assert!(tx.browser_session_by_hash(&[2; 32]).await.unwrap().is_some(), "others stay");
    assert!(matches!(tx.user_delete(anna.id).await, Err(DbError::NotFound { .. })));
    tx.user_insert(&user("Anna", Role::Viewer), at(2)).await.unwrap();
}

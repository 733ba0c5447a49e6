//! Constants, credentials, tokens and users.

use orchestrator_proto::v1 as pb;

use super::{listing, single};
use crate::output::times::time;
use crate::output::{Cell, Column, Row};

const NO_CONSTANTS: &str = "No constants yet. Create one: orchestrator constant set NAME VALUE";
const NO_CREDENTIALS: &str = "No credentials yet. Create one: orchestrator credential set NAME --username USER";
const NO_TOKENS: &str = "No tokens. Create one: orchestrator token create user NAME";

listing!(ListConstantsResponse, constants, Constant, NO_CONSTANTS, next_cursor);
listing!(ListCredentialsResponse, credentials, Credential, NO_CREDENTIALS, next_cursor);
const NO_USERS: &str = "No users yet. Create one: orchestrator user create NAME --role admin";
const NO_SESSIONS: &str = "Nobody is signed in, neither to the pages nor at a command line.";

listing!(ListUsersResponse, users, User, NO_USERS);
listing!(ListSessionsResponse, sessions, Session, NO_SESSIONS);
const NO_ENTRIES: &str = "Nothing of that was done.";

listing!(ListAuditResponse, entries, AuditEntry, NO_ENTRIES, next_cursor);
listing!(ListTokensResponse, tokens, Token, NO_TOKENS);
listing!(GetKeysResponse, keys, StoredKey, "The server has no key.");
single!(Constant, constant, "constant": GetConstantResponse, SetConstantResponse);
single!(Credential, credential, "credential":
    GetCredentialResponse, RevealCredentialResponse, SetCredentialResponse);
single!(User, user, "user":
    CreateUserResponse, UpdateUserResponse, DeleteUserResponse, SetPasswordResponse, CreateSignInLinkResponse);
single!(Token, token, "token": CreateTokenResponse, RevokeTokenResponse, SignInResponse);

impl Row for pb::Constant {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Name", |c, _| Cell::text(&c.name)),
        Column::new("Value", |c, look| Cell::clipped(look, &c.value)),
        Column::new("Changed", |c, look| Cell::text(time(look, c.changed_at.as_ref()))),
        Column::new("By", |c, _| Cell::text(&c.changed_by)),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Row for pb::StoredKey {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Key", |k, _| Cell::text(&k.key_id)),
        Column::new("Use", |k, _| match (k.writing, k.known) {
            (true, _) => Cell::text("writes and reads"),
            (false, true) => Cell::text("reads"),
            (false, false) => Cell::text("MISSING on the server").alarming(),
        }),
        Column::new("Passwords", |k, _| Cell::number(k.password_count)),
    ];

    fn handle(&self) -> &str {
        &self.key_id
    }
}

impl Row for pb::Credential {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Name", |c, _| Cell::text(&c.name)),
        Column::new("User name", |c, _| Cell::text(&c.username)),
        Column::new("Changed", |c, look| Cell::text(time(look, c.changed_at.as_ref()))),
        Column::new("By", |c, _| Cell::text(&c.changed_by)),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Row for pb::Token {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Name", |t, _| Cell::text(&t.name)),
        Column::new("Kind", |t, _| Cell::text(&t.kind)),
        Column::new("Role", |t, _| Cell::text(&t.role)),
        Column::new("Begins with", |t, _| Cell::text(&t.prefix)),
        Column::new("Created", |t, look| Cell::text(time(look, t.created_at.as_ref()))),
        Column::new("Last used", |t, look| Cell::text(time(look, t.last_used_at.as_ref()))),
        Column::new("Expires", |t, look| Cell::text(time(look, t.expires_at.as_ref()))),
        Column::new("Revoked", |t, look| Cell::text(time(look, t.revoked_at.as_ref()))),
        Column::wide("By", |t, _| Cell::text(&t.created_by)),
        Column::new("ID", |t, look| Cell::id(look, &t.id)),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}

impl Row for pb::User {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("Name", |u, _| Cell::text(&u.name)),
        Column::new("Called", |u, _| Cell::text(&u.display_name)),
        Column::new("Role", |u, _| Cell::text(&u.role)),
        Column::new("Password", |u, look| match u.password_changed_at.as_ref() {
            Some(at) => Cell::text(time(look, Some(at))),
            None => Cell::text("none"),
        }),
        Column::new("Last sign-in", |u, look| Cell::text(time(look, u.last_sign_in_at.as_ref()))),
        Column::new("Disabled", |u, look| Cell::text(time(look, u.disabled_at.as_ref()))),
        Column::wide("Created", |u, look| Cell::text(time(look, u.created_at.as_ref()))),
        Column::wide("By", |u, _| Cell::text(&u.created_by)),
        Column::wide("Changed", |u, look| Cell::text(time(look, u.changed_at.as_ref()))),
        Column::wide("By", |u, _| Cell::text(&u.changed_by)),
        Column::wide("ID", |u, look| Cell::id(look, &u.id)),
    ];

    fn handle(&self) -> &str {
        &self.name
    }
}

impl Row for pb::Session {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("User", |s, _| Cell::text(&s.user)),
        Column::new("Since", |s, look| Cell::text(time(look, s.created_at.as_ref()))),
        Column::new("Last seen", |s, look| Cell::text(time(look, s.last_seen_at.as_ref()))),
        Column::new("Ends", |s, look| Cell::text(time(look, s.expires_at.as_ref()))),
        Column::new("By", |s, _| Cell::text(&s.method)),
        Column::new("From", |s, _| Cell::text(&s.address)),
        Column::wide("With", |s, look| Cell::clipped(look, &s.user_agent)),
        Column::new("ID", |s, _| Cell::text(&s.id)),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}

impl Row for pb::AuditEntry {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("When", |e, look| Cell::text(time(look, e.at.as_ref()))),
        Column::new("Who", |e, _| Cell::text(&e.actor)),
        Column::wide("Kind", |e, _| Cell::text(&e.actor_kind)),
        Column::new("Action", |e, _| Cell::text(&e.action)),
        Column::new("Subject", |e, look| Cell::clipped(look, &e.subject)),
        Column::new("Before", |e, look| Cell::clipped(look, &e.before)),
        Column::new("After", |e, look| Cell::clipped(look, &e.after)),
        Column::wide("ID", |e, look| Cell::id(look, &e.id)),
    ];

    fn handle(&self) -> &str {
        &self.id
    }
}

//! Constants, credentials and tokens.

use orchestrator_proto::v1 as pb;

use super::{listing, single};
use crate::output::times::time;
use crate::output::{Cell, Column, Row};

const NO_CONSTANTS: &str = "No constants yet. Create one: orchestrator constant set NAME VALUE";
const NO_CREDENTIALS: &str = "No credentials yet. Create one: orchestrator credential set NAME --username USER";
const NO_TOKENS: &str = "No tokens. Create one: orchestrator token create user NAME";

listing!(ListConstantsResponse, constants, Constant, NO_CONSTANTS, next_cursor);
listing!(ListCredentialsResponse, credentials, Credential, NO_CREDENTIALS, next_cursor);
listing!(ListTokensResponse, tokens, Token, NO_TOKENS);
listing!(GetKeysResponse, keys, StoredKey, "The server has no key.");
single!(Constant, constant, "constant": GetConstantResponse, SetConstantResponse);
single!(Credential, credential, "credential":
    GetCredentialResponse, RevealCredentialResponse, SetCredentialResponse);
single!(Token, token, "token": CreateTokenResponse, RevokeTokenResponse);

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

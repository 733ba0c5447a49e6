//! Making and ending tokens.

use std::time::Duration;

use orchestrator_core::actor::Actor;
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::{ApiToken, TokenKind};
use orchestrator_core::text::ActorName;
use orchestrator_db::{Hint, NewToken, StoredToken};
use orchestrator_proto::convert::{self, DecodeError};
use orchestrator_proto::v1;
use orchestrator_scheduler::Scheduler;
use serde_json::{Value, json};
use tonic::Status;

use super::show;
use crate::transaction::in_transaction;
use crate::{audit, status};

/// The longest life of a token that expires.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 366 * 100);

/// A token that is to be made.
#[derive(Debug)]
pub(super) struct Wanted {
    kind: TokenKind,
    name: ActorName,
    role: Option<Role>,
    lifetime: Option<Duration>,
}

impl Wanted {
    pub(super) fn read(message: &v1::CreateTokenRequest) -> Result<Self, DecodeError> {
        let (kind, role) = match convert::name("kind", &message.kind)? {
            IdentityKind::User => (TokenKind::User, Some(convert::name("role", &message.role)?)),
            IdentityKind::Worker if message.role.is_empty() => (TokenKind::Worker, None),
            IdentityKind::Worker => {
                return Err(DecodeError::Form { field: "role", expected: "empty for a worker" });
            }
            IdentityKind::Job => return Err(DecodeError::Form { field: "kind", expected: "USER or WORKER" }),
        };
        let lifetime = convert::optional_duration("lifetime", message.lifetime)?;
        if let Some(given) = lifetime.filter(|given| given.is_zero() || *given > LONGEST_LIFE) {
            let (value, most) = (given.as_secs().into(), LONGEST_LIFE.as_secs().into());
            return Err(DecodeError::OutOfRange { field: "lifetime", value, least: 1, most });
        }
        Ok(Self { kind, name: ActorName::parse(&message.name)?, role, lifetime })
    }
}

/// Makes a token. Its secret is in the answer, and nowhere else.
pub(super) async fn create(
    scheduler: &Scheduler,
    actor: &Actor,
    wanted: Wanted,
) -> Result<v1::CreateTokenResponse, Status> {
    let secret = ApiToken::generate(wanted.kind).map_err(|error| status::internal(&error))?;
    let now = scheduler.now();
    let kind = if wanted.kind == TokenKind::User { IdentityKind::User } else { IdentityKind::Worker };
    let token = NewToken {
        id: TokenId::generate(),
        kind,
        name: wanted.name,
        role: wanted.role,
        hash: *secret.hash().as_bytes(),
        prefix: secret.prefix(),
        created_by: Some(actor.name.clone()),
        expires_at: wanted.lifetime.map(|lifetime| now + lifetime),
        person: None,
    };
    let stored = in_transaction!(scheduler, |tx| {
        tx.token_insert(&token, now).await?;
        let stored = tx.token_find(&token.id.to_string(), now).await?;
        let row = audit::row(actor, "token.create", "token", &token.id, (None, Some(document(&stored))));
        tx.audit_insert(&[row], now).await?;
        Ok((stored, vec![Hint::Access]))
    })?;
    Ok(v1::CreateTokenResponse { token: Some(show::token(&stored)), secret: secret.expose().to_owned() })
}

/// Ends a token; one that has ended stays as it is.
pub(super) async fn revoke(scheduler: &Scheduler, actor: &Actor, text: &str) -> Result<v1::Token, Status> {
    let key = convert::key("token", text).map_err(status::decode)?;
    let now = scheduler.now();
    in_transaction!(scheduler, |tx| {
        let before = tx.token_find(&key, now).await?;
        if !tx.token_revoke(before.id, now).await? {
            return Ok((show::token(&before), Vec::new()));
        }
        let row = audit::row(actor, "token.revoke", "token", &before.id, (Some(document(&before)), None));
        tx.audit_insert(&[row], now).await?;
        let after = StoredToken { revoked_at: Some(now), ..before };
        Ok((show::token(&after), vec![Hint::Tokens]))
    })
}

fn document(token: &StoredToken) -> Value {
    json!({
        "kind": token.kind,
        "name": token.name,
        "role": token.role,
        "prefix": token.prefix,
        "expires_at": token.expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, name: &str, role: &str) -> v1::CreateTokenRequest {
        v1::CreateTokenRequest { kind: kind.to_owned(), name: name.to_owned(), role: role.to_owned(), lifetime: None }
    }

    #[test]
    fn what_makes_no_token_is_refused_by_its_field() {
        let refused = [
            (request("", "anna", "ADMIN"), "kind"),
            (request("KING", "anna", "ADMIN"), "kind"),
            (request("JOB", "anna", ""), "kind"),
            (request("USER", "anna", ""), "role"),
            (request("USER", "anna", "KING"), "role"),
            (request("WORKER", "w1", "ADMIN"), "role"),
            (request("USER", "", "ADMIN"), "name"),
            (
                v1::CreateTokenRequest {
                    lifetime: Some(prost_types::Duration { seconds: i64::MAX, nanos: 0 }),
                    ..request("WORKER", "w1", "")
                },
                "lifetime",
            ),
        ];
        for (message, field) in refused {
            assert_eq!(Wanted::read(&message).unwrap_err().field(), field, "{message:?}");
        }
        assert!(Wanted::read(&request("WORKER", "w1", "")).is_ok());
    }
}

//! Signing in at a command line: the password is checked as on the page, and answered with a token of the person's own.

use orchestrator_core::actor::{Actor, ActorKind};
use orchestrator_core::id::TokenId;
use orchestrator_core::identity::IdentityKind;
use orchestrator_core::secret::{ApiToken, Plaintext, TokenKind};
use orchestrator_core::text::ActorName;
use orchestrator_db::{Hint, NewToken, StoredToken, TokenOfPerson};
use serde_json::json;
use tonic::Status;

use super::sign_in::{printable, unchanged};
use super::{Accounts, KEPT, Visitor, delta};
use crate::audit;
use crate::auth::{KnownBy, User};
use crate::status;
use crate::transaction::in_transaction;

/// How such a sign-in is named among those of browsers.
pub(crate) const COMMAND_LINE: &str = "COMMAND_LINE";

impl Accounts {
    /// Signs in with a password, for a token. Limits, refusals and rows of the trail are those of the page.
    pub(crate) async fn sign_in_for_token(
        &self,
        name: &str,
        password: Plaintext,
        visitor: &Visitor,
    ) -> Result<(StoredToken, ApiToken), Status> {
        let (user, counted) = self.check_password(name, password, visitor).await?;
        let secret = ApiToken::generate(TokenKind::User).map_err(|error| status::internal(&error))?;
        let now = self.scheduler().now();
        let (address, user_agent) = (visitor.address.to_canonical().to_string(), printable(&visitor.user_agent));
        let name = ActorName::from_stored(user.name.as_str().to_owned());
        let stored = in_transaction!(self.scheduler(), |tx| {
            let current = unchanged(tx, &user).await?;
            let token = NewToken {
                id: TokenId::generate(),
                kind: IdentityKind::User,
                name: name.clone(),
                role: Some(current.role),
                hash: *secret.hash().as_bytes(),
                prefix: secret.prefix(),
                created_by: Some(name.clone()),
                expires_at: Some(now + delta(self.options().command_line)),
                person: Some(TokenOfPerson {
                    user: current.id,
                    address: address.clone(),
                    user_agent: user_agent.clone(),
                }),
            };
            tx.token_forget_of_person(current.id, now - KEPT).await?;
            tx.token_insert(&token, now).await?;
            tx.user_signed_in(current.id, now).await?;
            let actor = Actor::new(ActorKind::User, name.clone());
            let after = json!({
                "method": COMMAND_LINE,
                "address": address,
                "user_agent": user_agent,
                "token": token.prefix,
            });
            let row = audit::row(&actor, "user.sign_in", audit::USER, &current.name, (None, Some(after)));
            tx.audit_insert(&[row], now).await?;
            let stored = tx.token_find(&token.id.to_string(), now).await?;
            Ok((stored, vec![Hint::Access]))
        })?;
        self.give_back(&counted);
        Ok((stored, secret))
    }

    /// Ends the token with which a person calls. `false` where it is no such token.
    pub(crate) async fn end_token(&self, caller: &User, actor: &Actor) -> Result<bool, Status> {
        let KnownBy::Token { id, person: Some(person) } = caller.by else { return Ok(false) };
        let now = self.scheduler().now();
        in_transaction!(self.scheduler(), |tx| {
            if !tx.token_revoke_of_person(id, person, now).await? {
                return Ok((false, Vec::new()));
            }
            let before = json!({ "method": COMMAND_LINE });
            let row = audit::row(actor, "user.sign_out", audit::USER, &caller.name, (Some(before), None));
            tx.audit_insert(&[row], now).await?;
            Ok((true, vec![Hint::Tokens]))
        })
    }
}

//! What storage holds, as messages carry it.

use orchestrator_core::worker::Worker;
use orchestrator_db::{AuditEntry, BrowserSession, StoredToken, StoredUser};
use orchestrator_proto::convert::timestamp;
use orchestrator_proto::v1;

use crate::accounts::COMMAND_LINE;

pub(super) fn token(token: &StoredToken) -> v1::Token {
    v1::Token {
        id: token.id.to_string(),
        kind: token.kind.to_string(),
        name: token.name.as_str().to_owned(),
        role: token.role.map(|role| role.to_string()).unwrap_or_default(),
        prefix: token.prefix.clone(),
        created_at: Some(timestamp(token.created_at)),
        created_by: token.created_by.as_ref().map(ToString::to_string).unwrap_or_default(),
        expires_at: token.expires_at.map(timestamp),
        revoked_at: token.revoked_at.map(timestamp),
        last_used_at: token.last_used_at.map(timestamp),
        user_id: token.person.as_ref().map(|person| person.user.to_string()).unwrap_or_default(),
    }
}

pub(super) fn user(user: &StoredUser) -> v1::User {
    let name = |actor: &Option<orchestrator_core::text::ActorName>| {
        actor.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    v1::User {
        id: user.id.to_string(),
        name: user.name.as_str().to_owned(),
        display_name: user.display_name.as_ref().map(ToString::to_string).unwrap_or_default(),
        role: user.role.to_string(),
        has_password: user.password.is_some(),
        password_changed_at: user.password_changed_at.map(timestamp),
        disabled_at: user.disabled_at.map(timestamp),
        created_at: Some(timestamp(user.created_at)),
        created_by: name(&user.created_by),
        changed_at: Some(timestamp(user.changed_at)),
        changed_by: name(&user.changed_by),
        last_sign_in_at: user.last_sign_in_at.map(timestamp),
    }
}

pub(super) fn session(session: BrowserSession, user: String, current: bool) -> v1::Session {
    v1::Session {
        id: session.id.to_string(),
        user,
        method: session.method,
        created_at: Some(timestamp(session.created_at)),
        last_seen_at: Some(timestamp(session.last_seen_at)),
        expires_at: Some(timestamp(session.expires_at)),
        address: session.address,
        user_agent: session.user_agent,
        current,
    }
}

/// The token of a command line, as a session; `None` for one that is no person's.
pub(super) fn session_of_token(token: StoredToken, user: String, current: bool) -> Option<v1::Session> {
    let person = token.person?;
    Some(v1::Session {
        id: token.id.to_string(),
        user,
        method: COMMAND_LINE.to_owned(),
        created_at: Some(timestamp(token.created_at)),
        last_seen_at: Some(timestamp(token.last_used_at.unwrap_or(token.created_at))),
        expires_at: token.expires_at.map(timestamp),
        address: person.address,
        user_agent: person.user_agent,
        current,
    })
}

pub(super) fn audit_entry(entry: AuditEntry) -> v1::AuditEntry {
    let document = |value: Option<serde_json::Value>| value.map(|value| value.to_string()).unwrap_or_default();
    v1::AuditEntry {
        id: entry.id.to_string(),
        at: Some(timestamp(entry.at)),
        actor_kind: entry.actor.kind.to_string(),
        actor: entry.actor.name.into_string(),
        action: entry.action,
        subject_kind: entry.subject_kind,
        subject: entry.subject,
        before: document(entry.before),
        after: document(entry.after),
    }
}

pub(super) fn worker(worker: &Worker, active_jobs: u32) -> v1::Worker {
    v1::Worker {
        name: worker.name.as_str().to_owned(),
        state: worker.state.to_string(),
        last_heartbeat: Some(timestamp(worker.last_heartbeat)),
        slots: worker.slots,
        exclusive: worker.exclusive,
        version: worker.version.clone(),
        active_jobs,
        latest_trigger: worker.latest_trigger.clone().unwrap_or_default(),
        latest_trigger_time: worker.latest_trigger_time.map(timestamp),
        registered_at: Some(timestamp(worker.registered_at)),
        trouble: worker.trouble.as_ref().map(|trouble| trouble.as_str().to_owned()).unwrap_or_default(),
        contested_at: worker.contested_at.map(timestamp),
    }
}

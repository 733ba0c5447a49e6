//! The one layer in front of every method.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use orchestrator_core::identity::Role;
use orchestrator_db::Hint;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Instrument as _;

use super::headers::presented;
use super::identity::{Identity, KnownBy};
use super::last_used::LastUsed;
use super::page;
use super::readers::Readers;
use super::tokens::{Closed, Tokens};
use crate::accounts::Accounts;
use crate::authorize::{self, Rule};
use crate::status::{Refusal, reason};
use crate::{json, metrics};

/// How often answers about tokens are renewed.
const RENEWAL: Duration = Duration::from_secs(1);

/// Decides who gets through.
#[derive(Debug)]
pub(crate) struct Gate {
    accounts: Accounts,
    tokens: Tokens,
    last_used: LastUsed,
    readers: Readers,
}

/// Put on requests that the gate let through, with the path of their method.
#[derive(Debug, Clone)]
pub(crate) struct Admitted(pub(crate) String);

impl Gate {
    pub(crate) fn new(accounts: Accounts) -> Self {
        let tokens = Tokens::new(accounts.scheduler().db().clone(), accounts.scheduler().token_changes());
        Self { accounts, tokens, last_used: LastUsed::default(), readers: Readers::default() }
    }

    /// Keeps what is remembered about tokens true, and writes when they were used, until the server stops.
    pub(crate) async fn run(&self, changes: broadcast::Receiver<Hint>, stop: CancellationToken) {
        let db = self.accounts.scheduler().db();
        tokio::join!(
            self.last_used.run(db, stop.clone()),
            stop.run_until_cancelled(self.listen(changes)),
            stop.run_until_cancelled(self.renew()),
        );
    }

    /// Once a second, what is remembered of tokens in use is read again with one statement.
    async fn renew(&self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if let Err(error) = self.tokens.renew(self.accounts.scheduler().now()).await {
                // Each call then asks for itself, and is told.
                tracing::debug!(%error, "tokens could not be read again");
            }
        }
    }

    async fn listen(&self, mut changes: broadcast::Receiver<Hint>) {
        loop {
            match changes.recv().await {
                // What is remembered of tokens ends with the word itself; see `Tokens`.
                Ok(Hint::Tokens) => {
                    self.accounts.forget_sessions();
                    self.readers.forget_all();
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.tokens.forget_all();
                    self.accounts.forget_sessions();
                    self.readers.forget_all();
                }
                Ok(Hint::Job { id }) => self.tokens.forget_job(id),
                Ok(
                    Hint::Triggers
                    | Hint::Jobs
                    | Hint::Queue { .. }
                    | Hint::Reopened { .. }
                    | Hint::Worker { .. }
                    | Hint::Logs
                    | Hint::Elements
                    | Hint::Access,
                ) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Lets a call of a method through, with its identity in the extensions.
    pub(crate) async fn let_in<B>(&self, path: &str, request: &mut http::Request<B>) -> Result<(), Status> {
        let identity = self.check(path, request.headers()).await.inspect_err(|status| {
            tracing::debug!(rpc.path = path, rpc.code = ?status.code(), "refused a call");
        })?;
        if let Some(identity) = identity {
            request.extensions_mut().insert(identity);
        }
        Ok(())
    }

    /// Whether a user's token is presented, for the server's figures. They are worth most while the database is away: who
    /// read them before may then, too.
    pub(crate) async fn reader(&self, headers: &HeaderMap) -> Result<(), Status> {
        let (presented, now) = (presented(headers)?, self.accounts.scheduler().now());
        let answer = match tokio::time::timeout(metrics::PATIENCE, self.tokens.answer(presented, now)).await {
            Ok(Ok(answer)) => answer,
            _ if self.readers.knows(&presented, now) => return Ok(()),
            Ok(Err(_)) | Err(_) => return Err(cannot_tell()),
        };
        let expires_at = answer.expires_at;
        let identity = answer.at(now).map_err(Closed::status);
        let permitted = identity.and_then(|identity| authorize::permit(Rule::User(Role::Viewer), &identity));
        match permitted {
            Ok(()) => self.readers.note(presented, expires_at, now),
            Err(_) => self.readers.forget(&presented),
        }
        permitted
    }

    /// Who calls this method, if they may. `None` for methods that are open to anyone.
    async fn check(&self, path: &str, headers: &HeaderMap) -> Result<Option<Identity>, Status> {
        let rule = authorize::rule(path).ok_or_else(|| unknown_method(path))?;
        if rule == Rule::Anyone {
            return Ok(None);
        }
        let now = self.accounts.scheduler().now();
        let identity = self.tokens.identify(presented(headers)?, now).await?;
        authorize::permit(rule, &identity)?;
        match &identity {
            Identity::User(user) => match user.by {
                KnownBy::Token { id, .. } => self.last_used.note(id, now),
                // No token is a session's.
                KnownBy::Session { .. } => {}
            },
            Identity::Worker(worker) => self.last_used.note(worker.token_id, now),
            // A job's token is not in the table of tokens, and its worker's heartbeat stamps that of the worker.
            Identity::Job(_) => {}
        }
        Ok(Some(identity))
    }
}

fn cannot_tell() -> Status {
    let message = "the database is not available right now, and this token has not read figures before; try again";
    Refusal::new(Code::Unavailable, reason::DATABASE_UNAVAILABLE, message).status()
}

/// How a method is called.
enum Way<'a> {
    Grpc(&'a str),
    Json(&'a str),
}

impl<'a> Way<'a> {
    /// `None` for what is no call of a method: pages, health for load balancers.
    fn of(request: &'a Request) -> Option<Self> {
        let path = request.uri().path();
        if let Some(rest) = path.strip_prefix("/rpc").filter(|rest| rest.starts_with('/')) {
            return Some(Self::Json(rest));
        }
        let is_grpc = path.starts_with("/orchestrator.") || path.starts_with("/grpc.") || is_grpc(request.headers());
        is_grpc.then_some(Self::Grpc(path))
    }

    fn path(&self) -> &'a str {
        match self {
            Self::Grpc(path) | Self::Json(path) => path,
        }
    }

    fn refuse(&self, status: Status) -> Response {
        match self {
            Self::Grpc(_) => status.into_http(),
            Self::Json(_) => json::refuse(&status),
        }
    }
}

/// Whether the request says that it is gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The layer: lets a call through with its identity in the extensions, or answers it with a refusal.
pub(crate) async fn admit(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let Some(way) = Way::of(&request) else { return page::admit(&gate.accounts, request, next).await };
    let admitted = Admitted(way.path().to_owned());
    if let Err(status) = gate.let_in(&admitted.0, &mut request).await {
        return Way::of(&request).unwrap_or(Way::Json("")).refuse(status);
    }
    let span = tracing::info_span!("call", rpc.path = admitted.0, caller = tracing::field::Empty);
    if let Some(identity) = request.extensions().get::<Identity>() {
        span.record("caller", tracing::field::display(identity.actor()));
    }
    request.extensions_mut().insert(admitted);
    next.run(request).instrument(span).await
}

/// Directly in front of the services: refuses a call that did not come through the gate for exactly this method, whatever
/// the routers in between made of its path.
pub(crate) async fn only_admitted(request: Request, next: Next) -> Response {
    match request.extensions().get::<Admitted>() {
        Some(Admitted(path)) if path == request.uri().path() => next.run(request).await,
        _ => unknown_method(request.uri().path()).into_http(),
    }
}

/// What calls of methods that are not there, or in no row of the table, are answered with.
pub(crate) fn unknown_method(path: &str) -> Status {
    Refusal::new(Code::Unimplemented, reason::METHOD_UNKNOWN, format!("there is no method {path}")).status()
}

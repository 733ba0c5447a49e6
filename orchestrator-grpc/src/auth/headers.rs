//! Reading tokens from headers.

use http::{HeaderMap, header};
use orchestrator_core::secret::{ApiToken, TokenHash, TokenKind};
use tonic::{Code, Status};

use crate::status::{Refusal, reason};

/// Where a worker puts the token of the job for which it calls.
const JOB_TOKEN_HEADER: &str = "x-orchestrator-job-token";

/// The tokens of one request, reduced to their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Presented {
    /// A user's token.
    User(TokenHash),
    /// A worker's token.
    Worker(TokenHash),
    /// A worker's token with that of a job.
    Job { worker: TokenHash, job: TokenHash },
}

/// Reads what a request presents.
pub(super) fn presented(headers: &HeaderMap) -> Result<Presented, Status> {
    let bearer = bearer(headers)?;
    let job = job_token(headers)?;
    match (bearer.kind(), job) {
        (TokenKind::User, None) => Ok(Presented::User(bearer.hash())),
        (TokenKind::Worker, None) => Ok(Presented::Worker(bearer.hash())),
        (TokenKind::Worker, Some(job)) => Ok(Presented::Job { worker: bearer.hash(), job: job.hash() }),
        (TokenKind::Job, _) | (TokenKind::User, Some(_)) => Err(Refusal::new(
            Code::Unauthenticated,
            reason::JOB_TOKEN_ALONE,
            "a job token is accepted only beside the token of the worker that holds the job; a robot calls its worker, at \
             the endpoint it was started with",
        )
        .status()),
    }
}

fn bearer(headers: &HeaderMap) -> Result<ApiToken, Status> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    // Never a word of the value in a message or a log: it may be a secret with a typing error.
    let text = value.to_str().map_err(|_| malformed("it has characters that no token has"))?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    ApiToken::parse(token).map_err(|error| malformed(&error.to_string()))
}

fn job_token(headers: &HeaderMap) -> Result<Option<ApiToken>, Status> {
    let mut values = headers.get_all(JOB_TOKEN_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| malformed("it has characters that no token has"))?;
    let token = ApiToken::parse(text).map_err(|error| malformed(&error.to_string()))?;
    if token.kind() != TokenKind::Job || values.next().is_some() {
        return Err(malformed("x-orchestrator-job-token must be one job token"));
    }
    Ok(Some(token))
}

fn missing() -> Status {
    Refusal::new(
        Code::Unauthenticated,
        reason::TOKEN_MISSING,
        "this call needs one header 'authorization: Bearer <token>'",
    )
    .status()
}

fn malformed(why: &str) -> Status {
    Refusal::new(Code::Unauthenticated, reason::TOKEN_MALFORMED, format!("the token cannot be read: {why}")).status()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic_types::StatusExt as _;

    use super::*;

    fn token(kind: TokenKind) -> ApiToken {
        ApiToken::generate(kind).unwrap()
    }

    fn read(headers: &[(&'static str, &str)]) -> Result<Presented, String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        presented(&map).map_err(|status| status.get_error_details().error_info().unwrap().reason.clone())
    }

    #[test]
    fn bearer_tokens_say_who_calls() {
        let (user, worker, job) = (token(TokenKind::User), token(TokenKind::Worker), token(TokenKind::Job));
        let bearer = |token: &ApiToken| format!("Bearer {}", token.expose());
        assert_eq!(read(&[("authorization", &bearer(&user))]), Ok(Presented::User(user.hash())));
        assert_eq!(read(&[("authorization", &bearer(&worker))]), Ok(Presented::Worker(worker.hash())));
        assert_eq!(
            read(&[("authorization", &bearer(&worker)), (JOB_TOKEN_HEADER, job.expose())]),
            Ok(Presented::Job { worker: worker.hash(), job: job.hash() })
        );
        assert_eq!(read(&[("authorization", &bearer(&job))]), Err("JOB_TOKEN_ALONE".to_owned()));
        assert_eq!(
            read(&[("authorization", &bearer(&user)), (JOB_TOKEN_HEADER, job.expose())]),
            Err("JOB_TOKEN_ALONE".to_owned())
        );
    }

    #[test]
    fn what_is_no_bearer_token_is_refused() {
        let user = format!("Bearer {}", token(TokenKind::User).expose());
        assert_eq!(read(&[]), Err("TOKEN_MISSING".to_owned()));
        assert_eq!(read(&[("authorization", "Basic abc")]), Err("TOKEN_MISSING".to_owned()));
        assert_eq!(read(&[("authorization", &user), ("authorization", &user)]), Err("TOKEN_MISSING".to_owned()));
        assert_eq!(read(&[("authorization", "Bearer hunter2")]), Err("TOKEN_MALFORMED".to_owned()));
        assert_eq!(read(&[("authorization", &user), (JOB_TOKEN_HEADER, "hunter2")]), Err("TOKEN_MALFORMED".to_owned()));
    }
}

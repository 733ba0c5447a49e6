//! The jobs whose robots may call, by their tokens.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, header};
use orchestrator_core::secret::{ApiToken, TokenHash, TokenKind};
use orchestrator_proto::refusal::Refusal;
use tonic::Code;

use super::line::{Line, Opened};

/// How many ended jobs are remembered, so that their children hear what is wrong.
const REMEMBERED: usize = 1000;

#[derive(Debug, Default)]
struct Known {
    open: HashMap<TokenHash, Arc<Line>>,
    ended: VecDeque<TokenHash>,
}

/// All jobs whose robots may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenJobs(Arc<Mutex<Known>>);

impl OpenJobs {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a job's robot call until the answer is closed.
    pub(super) fn open(&self, line: Line) -> Opened {
        let line = Arc::new(line);
        self.lock().open.insert(line.token.hash(), line.clone());
        Opened { line, lines: self.clone() }
    }

    pub(super) fn close(&self, line: &Line) {
        let hash = line.token.hash();
        let mut known = self.lock();
        if known.open.remove(&hash).is_some() {
            known.ended.push_back(hash);
            if known.ended.len() > REMEMBERED {
                known.ended.pop_front();
            }
        }
        drop(known);
        line.closed.cancel();
    }

    /// The job in whose name a request is made.
    pub(super) fn of(&self, headers: &HeaderMap) -> Result<Arc<Line>, Refusal> {
        let token = bearer(headers)?;
        let hash = token.hash();
        let known = self.lock();
        if let Some(job) = known.open.get(&hash) {
            return Ok(job.clone());
        }
        Err(if known.ended.contains(&hash) { ended() } else { unknown() })
    }
}

fn bearer(headers: &HeaderMap) -> Result<ApiToken, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(missing()) };
    // Never a word of the value in a message: it may be a secret with a typing error.
    let text = value.to_str().map_err(|_| malformed("it has characters that no token has"))?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let token = ApiToken::parse(token).map_err(|error| malformed(&error.to_string()))?;
    if token.kind() == TokenKind::Job { Ok(token) } else { Err(not_of_a_job(token.kind())) }
}

fn missing() -> Refusal {
    let message = "this call needs one header 'Authorization: Bearer <token>' with the token in ORCHESTRATOR_JOB_TOKEN";
    Refusal::new(Code::Unauthenticated, "TOKEN_MISSING", message)
}

fn malformed(why: &str) -> Refusal {
    let message = format!("the token cannot be read: {why}; pass on what stands in ORCHESTRATOR_JOB_TOKEN unchanged");
    Refusal::new(Code::Unauthenticated, "TOKEN_MALFORMED", message)
}

fn not_of_a_job(kind: TokenKind) -> Refusal {
    let message = format!(
        "a worker serves the jobs that it runs, with the token in ORCHESTRATOR_JOB_TOKEN; this is the token of a {kind}: \
         call the server with it"
    );
    Refusal::new(Code::PermissionDenied, "WRONG_CALLER", message).with("kind", &kind)
}

fn ended() -> Refusal {
    let message = "the job has ended, and its token with it; what was left running of it can do nothing in its name";
    Refusal::new(Code::Unauthenticated, "JOB_ENDED", message)
}

fn unknown() -> Refusal {
    let message =
        "the token belongs to no job that runs on this worker; a robot calls the endpoint that it was started with";
    Refusal::new(Code::Unauthenticated, "JOB_TOKEN_UNKNOWN", message)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use orchestrator_core::id::JobId;
    use orchestrator_core::lease::LeaseToken;
    use orchestrator_proto::v1;

    use super::*;

    fn line(job: JobId, token: &ApiToken) -> Line {
        Line::new(job, LeaseToken::new(1), token.clone(), v1::GetContextResponse::default())
    }

    fn headers(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        headers
    }

    fn refused(jobs: &OpenJobs, headers: &HeaderMap) -> String {
        jobs.of(headers).unwrap_err().reason().to_owned()
    }

    #[test]
    fn a_token_opens_its_own_job_until_that_ends() {
        let jobs = OpenJobs::default();
        let (first, second) = (JobId::generate(), JobId::generate());
        let token = || ApiToken::generate(TokenKind::Job).unwrap();
        let (one, other) = (token(), token());
        let opened = jobs.open(line(first, &one));
        let _second = jobs.open(line(second, &other));
        assert_eq!(jobs.of(&headers(one.expose())).unwrap().job, first);
        assert_eq!(jobs.of(&headers(other.expose())).unwrap().job, second);
        drop(opened);
        assert_eq!(refused(&jobs, &headers(one.expose())), "JOB_ENDED");
        assert_eq!(refused(&jobs, &headers(token().expose())), "JOB_TOKEN_UNKNOWN");
        assert_eq!(jobs.of(&headers(other.expose())).unwrap().job, second);
    }

    #[test]
    fn what_is_no_job_token_is_refused_without_a_word_of_it() {
        let jobs = OpenJobs::default();
        assert_eq!(refused(&jobs, &HeaderMap::new()), "TOKEN_MISSING");
        let user = ApiToken::generate(TokenKind::User).unwrap();
        assert_eq!(refused(&jobs, &headers(user.expose())), "WRONG_CALLER");
        let refusal = jobs.of(&headers("hunter2")).unwrap_err();
        assert_eq!(refusal.reason(), "TOKEN_MALFORMED");
        assert!(!refusal.message().contains("hunter2"));
    }
}

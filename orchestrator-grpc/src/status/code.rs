/// Stable machine codes, the `reason` of an `ErrorInfo`. Programs branch on them: they are never renamed.
///
/// Things that were not found have codes of their own made from what was looked for, such as `TRIGGER_NOT_FOUND`.
pub mod reason {
    /// A field of the request was refused; the metadata names it.
    pub const INVALID_FIELD: &str = "INVALID_FIELD";
    /// A cron expression was refused; the metadata says where.
    pub const INVALID_CRON: &str = "INVALID_CRON";
    /// The bytes are no message of the method, such as text that is not UTF-8.
    pub const INVALID_MESSAGE: &str = "INVALID_MESSAGE";
    /// The body is no JSON of the method's request.
    pub const INVALID_JSON: &str = "INVALID_JSON";
    /// The body is of another kind than `application/json`.
    pub const UNSUPPORTED_CONTENT_TYPE: &str = "UNSUPPORTED_CONTENT_TYPE";
    /// The message is larger than the server takes.
    pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
    /// The body did not arrive in time.
    pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    /// There is no such method, or it is not offered this way.
    pub const METHOD_UNKNOWN: &str = "METHOD_UNKNOWN";
    /// Streaming methods are not offered as JSON.
    pub const METHOD_STREAMS: &str = "METHOD_STREAMS";
    /// The `Host` is not one this server answers to.
    pub const HOST_NOT_ALLOWED: &str = "HOST_NOT_ALLOWED";
    /// The part of an id fits more than one thing.
    pub const AMBIGUOUS: &str = "AMBIGUOUS";
    /// The name is taken.
    pub const NAME_EXISTS: &str = "NAME_EXISTS";
    /// Something with this key exists.
    pub const CONFLICT: &str = "CONFLICT";
    /// The thing is not in the state that the change requires.
    pub const ILLEGAL_TRANSITION: &str = "ILLEGAL_TRANSITION";
    /// Someone else changed the thing since it was read.
    pub const CHANGED_MEANWHILE: &str = "CHANGED_MEANWHILE";
    /// The lease token is stale: someone else may hold the job or element.
    pub const LEASE_LOST: &str = "LEASE_LOST";
    /// Another job that still runs holds the element.
    pub const ELEMENT_HELD: &str = "ELEMENT_HELD";
    /// A user calls as a development job and has begun none, or it has ended.
    pub const NO_DEVELOPMENT_JOB: &str = "NO_DEVELOPMENT_JOB";
    /// A development job has no trigger that could be held.
    pub const NO_TRIGGER: &str = "NO_TRIGGER";
    /// Elements of the queue are in progress.
    pub const QUEUE_BUSY: &str = "QUEUE_BUSY";
    /// Triggers watch the queue; the metadata names them.
    pub const QUEUE_WATCHED: &str = "QUEUE_WATCHED";
    /// The job that asks does not run any more.
    pub const JOB_ENDED: &str = "JOB_ENDED";
    /// The stored password cannot be decrypted with the server's keys.
    pub const SECRET_UNREADABLE: &str = "SECRET_UNREADABLE";
    /// The worker's session has ended; it must register again.
    pub const SESSION_OVER: &str = "SESSION_OVER";
    /// A live worker has this name.
    pub const WORKER_NAME_TAKEN: &str = "WORKER_NAME_TAKEN";
    /// A repeated call does not fit the call that it repeats.
    pub const REPEAT_MISMATCH: &str = "REPEAT_MISMATCH";
    /// Too much waits to be done already.
    pub const OVERLOADED: &str = "OVERLOADED";
    /// The database cannot be reached or is busy; the same call may succeed later.
    pub const DATABASE_UNAVAILABLE: &str = "DATABASE_UNAVAILABLE";
    /// The database's disk takes no more; nothing was changed.
    pub const DATABASE_FULL: &str = "DATABASE_FULL";
    /// A mistake in the server; the message names an id that its log explains.
    pub const INTERNAL: &str = "INTERNAL";
    /// The server is stopping.
    pub const SHUTTING_DOWN: &str = "SHUTTING_DOWN";

    /// No `authorization: Bearer …`.
    pub const TOKEN_MISSING: &str = "TOKEN_MISSING";
    /// What was given is no token.
    pub const TOKEN_MALFORMED: &str = "TOKEN_MALFORMED";
    /// Nobody has this token.
    pub const TOKEN_UNKNOWN: &str = "TOKEN_UNKNOWN";
    /// The token was revoked.
    pub const TOKEN_REVOKED: &str = "TOKEN_REVOKED";
    /// The token has expired.
    pub const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";
    /// A job token was given without the token of the job's worker.
    pub const JOB_TOKEN_ALONE: &str = "JOB_TOKEN_ALONE";
    /// The job token belongs to no job that this worker holds.
    pub const JOB_TOKEN_UNKNOWN: &str = "JOB_TOKEN_UNKNOWN";
    /// Name or password is wrong, or the user may not sign in.
    pub const SIGN_IN_REFUSED: &str = "SIGN_IN_REFUSED";
    /// Too many failed sign-ins, for this name or from this address.
    pub const SIGN_IN_TOO_OFTEN: &str = "SIGN_IN_TOO_OFTEN";
    /// The link has been used, has expired, or was never one.
    pub const SIGN_IN_LINK_OVER: &str = "SIGN_IN_LINK_OVER";
    /// The old password is wrong.
    pub const WRONG_PASSWORD: &str = "WRONG_PASSWORD";
    /// The last administrator who may sign in stays one.
    pub const LAST_ADMIN: &str = "LAST_ADMIN";
    /// An administrator would delete the own user.
    pub const ONESELF: &str = "ONESELF";
    /// There is an administrator with a password already.
    pub const FIRST_ADMIN_EXISTS: &str = "FIRST_ADMIN_EXISTS";
    /// A change was asked for by a page of another site.
    pub const CROSS_SITE: &str = "CROSS_SITE";
    /// The role may not do this.
    pub const ROLE_TOO_LOW: &str = "ROLE_TOO_LOW";
    /// The method is for another kind of caller.
    pub const WRONG_CALLER: &str = "WRONG_CALLER";
}

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator_core::clock::{Clock, ManualClock};
use orchestrator_core::id::{SignInId, TokenId, UserId};
use orchestrator_core::identity::{IdentityKind, Role};
use orchestrator_core::secret::{ApiToken, KeyRing, NewPassword, SignInSecret, TokenKind};
use orchestrator_core::text::{ActorName, Limits, UserName};
use orchestrator_db::{Db, DbOptions, LaneOptions, NewBrowserSession, NewToken, NewUser};
use orchestrator_grpc::accounts::{AccountOptions, Accounts};
use orchestrator_grpc::{ServeOptions, Server, Services, Shutdown, serve};
use orchestrator_scheduler::{Retention, Scheduler, SchedulerClock, SchedulerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const PASSWORD: &str = "correct horse";

/// A server with pages, and a clock that tests turn.
pub(crate) struct World {
    address: SocketAddr,
    pub(crate) clock: ManualClock,
    pub(crate) scheduler: Scheduler,
    shutdown: Shutdown,
    _server: Server,
    _folder: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What the browser would send back of the session's cookie.
    pub(crate) fn session(&self) -> Option<String> {
        let mut cookies = self.head.lines().filter_map(|line| line.split_once(": "));
        let cookie =
            cookies.find(|(key, value)| key.eq_ignore_ascii_case("set-cookie") && value.starts_with("orchestrator="));
        cookie.map(|(_, value)| value.split(';').next().unwrap_or_default().to_owned())
    }
}

pub(crate) async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&DbOptions::new(format!("sqlite:{}", folder.path().join("test.db").display()))).await.unwrap();
    let clock = ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap());
    let scheduler = Scheduler::new(SchedulerOptions {
        db,
        clock: SchedulerClock::Given(Arc::new(clock.clone())),
        keys: KeyRing::generate().unwrap(),
        limits: Limits::default(),
        zone: chrono_tz::Europe::Copenhagen,
        lanes: LaneOptions::default(),
        retention: Retention::default(),
    });
    let shutdown = Shutdown::new();
    let services = Services {
        scheduler: scheduler.clone(),
        clock: Arc::new(clock.clone()),
        accounts: Accounts::new(scheduler.clone(), AccountOptions::default()),
        pages: Some(orchestrator_web::pages()),
    };
    let options = ServeOptions::new("127.0.0.1:0".parse().unwrap());
    let server = serve(options, services, shutdown.clone()).await.unwrap();
    World { address: server.address(), clock, scheduler, shutdown, _server: server, _folder: folder }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.hard.cancel();
    }
}

impl World {
    /// Makes a user without a password.
    pub(crate) async fn user(&self, name: &str, role: Role) -> UserId {
        self.add(name, role, None).await
    }

    /// Makes a user with [`PASSWORD`].
    pub(crate) async fn user_with_password(&self, name: &str, role: Role) -> UserId {
        let password = NewPassword::parse(name, PASSWORD.to_owned()).unwrap();
        let hash = tokio::task::spawn_blocking(move || password.hash().unwrap()).await.unwrap();
        self.add(name, role, Some(hash)).await
    }

    async fn add(&self, name: &str, role: Role, password: Option<orchestrator_core::secret::PasswordHash>) -> UserId {
        let new = NewUser {
            id: UserId::generate(),
            name: UserName::parse(name).unwrap(),
            display_name: None,
            role,
            password,
            created_by: None,
        };
        let mut tx = self.scheduler.db().begin_write().await.unwrap();
        tx.user_insert(&new, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        new.id
    }

    /// The cookie of a new session of a user.
    pub(crate) async fn session(&self, user: UserId) -> String {
        let secret = SignInSecret::generate().unwrap();
        let now = self.clock.now();
        let new = NewBrowserSession {
            id: SignInId::generate(),
            hash: *secret.hash().as_bytes(),
            user,
            method: "PASSWORD",
            expires_at: now + TimeDelta::hours(24),
            address: "192.0.2.1".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        };
        let mut tx = self.scheduler.db().begin_write().await.unwrap();
        tx.browser_session_insert(&new, now, now - TimeDelta::days(1)).await.unwrap();
        tx.commit().await.unwrap();
        format!("orchestrator={}", secret.expose())
    }

    /// The cookie of a new administrator.
    pub(crate) async fn admin(&self, name: &str) -> String {
        let user = self.user(name, Role::Admin).await;
        self.session(user).await
    }

    /// A token, for what needs none of its row.
    pub(crate) async fn token(&self, kind: TokenKind, role: Option<Role>) -> String {
        let token = ApiToken::generate(kind).unwrap();
        let new = NewToken {
            id: TokenId::generate(),
            kind: if kind == TokenKind::Worker { IdentityKind::Worker } else { IdentityKind::User },
            name: ActorName::parse("robot-1").unwrap(),
            role,
            hash: *token.hash().as_bytes(),
            prefix: token.prefix(),
            created_by: None,
            expires_at: None,
            person: None,
        };
        let mut tx = self.scheduler.db().begin_write().await.unwrap();
        tx.token_insert(&new, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        token.expose().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), &[("cookie", cookie)], "").await
    }

    /// Sends a form as a page of this server does.
    pub(crate) async fn post(&self, path: &str, cookie: &str, form: &str) -> Answer {
        let headers = [
            ("cookie", cookie),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(&format!("POST {path} HTTP/1.1\r\n"), &headers, form).await
    }

    /// Listens to a stream until it says something, and gives what it said.
    pub(crate) async fn listen(&self, path: &str, cookie: &str, headers: &[(&str, &str)], until: &str) -> String {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n");
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let listening = async {
            while !String::from_utf8_lossy(&heard).contains(until) {
                assert!(stream.read_buf(&mut heard).await.unwrap() > 0, "the stream ended");
            }
        };
        let is_late = tokio::time::timeout(Duration::from_secs(10), listening).await.is_err();
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(!is_late, "{path}: no '{until}' in {heard}");
        heard
    }

    /// Sends a request and reads the answer: of a stream only its head.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{line}host: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let count = stream.read_buf(&mut answer).await.unwrap();
            let text = String::from_utf8_lossy(&answer);
            let is_stream = text.contains("\r\n\r\n") && text.contains("text/event-stream");
            if count == 0 || is_stream {
                let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
                let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
                return Answer { status, head: head.to_owned(), body: body.to_owned() };
            }
        }
    }
}

//! A browser without a screen: one connection, one cookie.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What is asked for of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it, as when it is opened.
    Whole,
    /// What changes while it is open.
    Live,
}

/// An administrator who is signed in.
#[derive(Debug)]
pub(super) struct Visitor {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    host: String,
    cookie: String,
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Visitor {
    /// Signs in as the first administrator.
    #[expect(clippy::disallowed_methods, reason = "the connection ends with the visitor")]
    pub(super) async fn sign_in(address: &str, token: &str) -> anyhow::Result<Self> {
        let host = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        let mut visitor = Self { sender, connection, host, cookie: String::new() };
        let form = format!("token={token}&name=bench&password=correct+horse+battery");
        let request = visitor
            .request(Method::POST, "/login/first")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Full::new(Bytes::from(form)))?;
        let answer = visitor.sender.send_request(request).await?;
        ensure!(answer.status() == StatusCode::SEE_OTHER, "signing in was answered with {}", answer.status());
        let cookie = answer.headers().get(header::SET_COOKIE).context("no cookie")?.to_str()?;
        let session = cookie.split(';').next().unwrap_or_default();
        visitor.cookie = format!("{session}; zone=UTC");
        answer.into_body().collect().await?;
        Ok(visitor)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if self.cookie.is_empty() { request } else { request.header(header::COOKIE, &self.cookie) }
    }

    /// Fetches a page, or the live part of it, and tells how long that took.
    pub(super) async fn open(&mut self, path: &str, part: Part) -> anyhow::Result<(Duration, String)> {
        let mut request = self.request(Method::GET, path);
        if part == Part::Live {
            request = request.header("hx-request", "true").header("hx-request-type", "partial");
        }
        let request = request.body(Full::new(Bytes::new()))?;
        self.sender.ready().await?;
        let began = Instant::now();
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let took = began.elapsed();
        ensure!(status == StatusCode::OK, "{path} was answered with {status}");
        Ok((took, String::from_utf8_lossy(&body).into_owned()))
    }
}

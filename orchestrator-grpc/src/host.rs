//! Which `Host` the server answers to, so that a page of another site cannot reach it under a name of its own making
//! (DNS rebinding). gRPC is not checked: browsers cannot speak it without being asked first, and it needs a token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, header};
use tonic::Code;

use crate::auth::is_grpc;
use crate::json;
use crate::status::{Refusal, reason};

/// The address at which a connection arrived; put on every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrivedAt(pub(crate) SocketAddr);

/// Names that are taken.
#[derive(Debug, Clone)]
pub(crate) struct AllowedHosts {
    names: Vec<String>,
}

impl AllowedHosts {
    /// Loopback names, the address that is listened on, and what the configuration adds. `*` allows every name.
    pub(crate) fn new(listen: SocketAddr, configured: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned()];
        names.push(listen.ip().to_string());
        names.extend(configured.iter().map(|name| bare(name).to_ascii_lowercase()));
        Self { names }
    }

    fn allows(&self, host: &str, arrived_at: Option<IpAddr>) -> bool {
        let host = bare(host).trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = host.parse::<IpAddr>()
            && (address.is_loopback() || Some(address) == arrived_at)
        {
            // An address is no name that could be made to point here.
            return true;
        }
        self.names.iter().any(|name| *name == host || name == "*")
    }
}

/// The name or address without port and brackets.
fn bare(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match host.rsplit_once(':') {
        // More than one colon without brackets: an IPv6 address as configurations may have it.
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

/// What the request says it is for: the authority of HTTP/2, or the one `Host` header.
fn requested<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), None, None) => Some(authority.as_str()),
        (None, Some(host), None) => host.to_str().ok(),
        (Some(authority), Some(host), None) if host.as_bytes() == authority.as_str().as_bytes() => {
            Some(authority.as_str())
        }
        _ => None,
    }
}

/// The layer.
pub(crate) async fn check(State(allowed): State<Arc<AllowedHosts>>, request: Request, next: Next) -> Response {
    // Load balancers ask by whatever name or address they know.
    let is_open = matches!(request.uri().path(), "/healthz" | "/readyz") || is_grpc(request.headers());
    let arrived_at = request.extensions().get::<ArrivedAt>().map(|ArrivedAt(address)| address.ip().to_canonical());
    let host = requested(request.uri(), request.headers());
    if is_open || host.is_some_and(|host| allowed.allows(host, arrived_at)) {
        return next.run(request).await;
    }
    let message = "this server does not answer to the requested host; add its name to server.allowed_hosts";
    let status = Refusal::new(Code::PermissionDenied, reason::HOST_NOT_ALLOWED, message).status();
    json::refuse_as(&status, StatusCode::MISDIRECTED_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> AllowedHosts {
        let configured = ["Robots.example.org".to_owned(), "other.example:9000".to_owned()];
        AllowedHosts::new("10.1.2.3:8420".parse().unwrap(), &configured)
    }

    #[test]
    fn loopback_names_the_address_listened_on_and_configured_names_are_allowed() {
        for host in [
            "localhost",
            "LOCALHOST:8420",
            "127.0.0.1:8420",
            "127.8.8.8",
            "[::1]:8420",
            "::1",
            "10.1.2.3:8420",
            "robots.example.org",
            "robots.example.org.:8420",
            "other.example",
        ] {
            assert!(allowed().allows(host, None), "{host}");
        }
    }

    #[test]
    fn other_names_and_addresses_are_not() {
        for host in
            ["evil.example", "10.1.2.4", "localhost.evil.example", "", "robots.example.org.evil.example", "[::2]"]
        {
            assert!(!allowed().allows(host, None), "{host}");
        }
    }

    #[test]
    fn the_address_at_which_the_connection_arrived_is_allowed() {
        assert!(allowed().allows("192.168.7.7:8420", Some("192.168.7.7".parse().unwrap())));
        assert!(!allowed().allows("192.168.7.8:8420", Some("192.168.7.7".parse().unwrap())));
    }

    #[test]
    fn a_request_with_two_hosts_names_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(requested(&Uri::from_static("/"), &headers), None);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(requested(&Uri::from_static("http://localhost/"), &headers), None);
    }
}

//! Which `Host` is answered, so that a page of a web site cannot reach the endpoint under a name of its own making.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, Uri, header};
use orchestrator_proto::refusal::Refusal;
use tonic::Code;

/// Refuses a request that is for another host than this one.
pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), None, None) => Some(authority.as_str()),
        (None, Some(host), None) => host.to_str().ok(),
        (Some(authority), Some(host), None) if host.as_bytes() == authority.as_str().as_bytes() => {
            Some(authority.as_str())
        }
        _ => None,
    };
    if host.is_some_and(is_loopback) {
        return Ok(());
    }
    let message = "this endpoint answers to 127.0.0.1 and localhost only: call the URL that the robot was started with";
    Err(Refusal::new(Code::PermissionDenied, "HOST_NOT_ALLOWED", message).in_http(StatusCode::MISDIRECTED_REQUEST))
}

fn is_loopback(host: &str) -> bool {
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or(rest)
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_answered_to() {
        for host in ["127.0.0.1:8000", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "10.0.0.1:8000", "127.0.0.1.evil.example"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_request_with_two_hosts_or_none_is_refused() {
        let mut headers = HeaderMap::new();
        let uri = Uri::from_static("/rpc/x");
        assert_eq!(check(&uri, &headers).unwrap_err().reason(), "HOST_NOT_ALLOWED");
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert!(check(&uri, &headers).is_ok());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(check(&uri, &headers).is_err());
    }
}

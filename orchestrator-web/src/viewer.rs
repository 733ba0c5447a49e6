//! Who looks at a page, and how they want to see it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use chrono_tz::Tz;
use http::request::Parts;
use http::{HeaderMap, header};
use orchestrator_core::clock::Timestamp;
use orchestrator_core::id::UserId;
use orchestrator_core::identity::Role;
use orchestrator_grpc::auth::Identity;
use orchestrator_grpc::{Channel, Seen};
use orchestrator_proto::v1::admin_service_client::AdminServiceClient;
use orchestrator_proto::v1::constant_service_client::ConstantServiceClient;
use orchestrator_proto::v1::credential_service_client::CredentialServiceClient;
use orchestrator_proto::v1::job_service_client::JobServiceClient;
use orchestrator_proto::v1::log_service_client::LogServiceClient;
use orchestrator_proto::v1::queue_service_client::QueueServiceClient;
use orchestrator_proto::v1::trigger_service_client::TriggerServiceClient;

use crate::app::App;
use crate::chrome::Theme;
use crate::error::PageError;
use crate::flash::Flash;
use crate::times::{Span, Stamp};

/// Cookies that the browser's own script sets.
const ZONE_COOKIE: &str = "zone";
const THEME_COOKIE: &str = "theme";

/// The person in front of a page.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    app: App,
    identity: Option<Identity>,
    /// One instant for the whole page.
    pub(crate) now: Timestamp,
    /// What had changed before anything of the page was read.
    pub(crate) seen: Seen,
    /// The zone of their browser.
    pub(crate) zone: Tz,
    pub(crate) theme: Theme,
    /// What the page before has to say.
    pub(crate) flash: Option<Flash>,
    /// This server as their browser knows it, such as `https://robots.example.org`.
    pub(crate) origin: String,
    /// The page that they see: what was asked for, or the page that asked by script.
    pub(crate) shown: String,
    /// The request is meant to change something.
    pub(crate) changes: bool,
    /// Only a part of the page is asked for, by htmx.
    pub(crate) wants_part: bool,
    /// The page's own script asks, so an answer may say where to go next in a header.
    pub(crate) by_script: bool,
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::from_parts(parts, app))
    }
}

impl Viewer {
    pub(crate) fn from_parts(parts: &mut Parts, app: &App) -> Self {
        let says = |name: &str, value: &str| parts.headers.get(name).is_some_and(|given| given == value);
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let shown = parts.headers.get("hx-current-url").and_then(|url| url.to_str().ok()).and_then(path_of);
        let zone = cookie(&parts.headers, ZONE_COOKIE).and_then(|name| name.parse().ok());
        Self {
            app: app.clone(),
            identity: parts.extensions.get().cloned(),
            now: app.inside().clock.now(),
            seen: app.inside().ticks.seen(),
            zone: zone.unwrap_or_else(|| app.inside().zone),
            theme: cookie(&parts.headers, THEME_COOKIE).map_or(Theme::System, |name| Theme::named(&name)),
            flash: cookie(&parts.headers, Flash::COOKIE).and_then(|text| Flash::read(&text)),
            origin: origin(parts, app.inside().accounts.options().secure_cookies),
            shown: shown.unwrap_or(here),
            changes: !parts.method.is_safe(),
            by_script: says("hx-request", "true"),
            wants_part: says("hx-request-type", "partial") && !says("hx-history-restore-request", "true"),
        }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// The name they signed in with; empty for someone who has not.
    pub(crate) fn name(&self) -> &str {
        self.identity.as_ref().map_or("", Identity::name)
    }

    pub(crate) fn role(&self) -> Option<Role> {
        match &self.identity {
            Some(Identity::User(user)) => Some(user.role),
            _ => None,
        }
    }

    /// The person, where it is one.
    pub(crate) fn person(&self) -> Option<UserId> {
        match &self.identity {
            Some(Identity::User(user)) => user.person(),
            _ => None,
        }
    }

    /// Whether they may run, pause, kill and work on elements.
    pub(crate) fn can_operate(&self) -> bool {
        self.role() >= Some(Role::Operator)
    }

    /// Whether they may change everything.
    pub(crate) fn can_administer(&self) -> bool {
        self.role() >= Some(Role::Admin)
    }

    /// The services, as this person. The guard in front of the route has let nobody through who is not one.
    fn channel(&self) -> Result<Channel, PageError> {
        let identity = self.identity.clone().ok_or(PageError::SignedOut)?;
        Ok(self.app.inside().calls.as_caller(identity))
    }

    pub(crate) fn triggers(&self) -> Result<TriggerServiceClient<Channel>, PageError> {
        Ok(TriggerServiceClient::new(self.channel()?))
    }

    pub(crate) fn jobs(&self) -> Result<JobServiceClient<Channel>, PageError> {
        Ok(JobServiceClient::new(self.channel()?))
    }

    pub(crate) fn queues(&self) -> Result<QueueServiceClient<Channel>, PageError> {
        Ok(QueueServiceClient::new(self.channel()?))
    }

    pub(crate) fn logs(&self) -> Result<LogServiceClient<Channel>, PageError> {
        Ok(LogServiceClient::new(self.channel()?))
    }

    pub(crate) fn constants(&self) -> Result<ConstantServiceClient<Channel>, PageError> {
        Ok(ConstantServiceClient::new(self.channel()?))
    }

    pub(crate) fn credentials(&self) -> Result<CredentialServiceClient<Channel>, PageError> {
        Ok(CredentialServiceClient::new(self.channel()?))
    }

    pub(crate) fn admin(&self) -> Result<AdminServiceClient<Channel>, PageError> {
        Ok(AdminServiceClient::new(self.channel()?))
    }

    /// When they asked.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// An instant as they see it.
    pub(crate) fn stamp(&self, at: Option<prost_types::Timestamp>) -> Stamp {
        Stamp::new(at, self.now, self.zone)
    }

    /// From one instant to another, or until now.
    pub(crate) fn span(&self, from: Option<prost_types::Timestamp>, to: Option<prost_types::Timestamp>) -> Span {
        Span::new(from, to, self.now)
    }
}

/// Scheme and host that were asked for.
fn origin(parts: &Parts, secure: bool) -> String {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = parts.uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or("localhost");
    format!("{}://{host}", if secure { "https" } else { "http" })
}

/// Path and query of an address.
fn path_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    Some(url.path_and_query()?.as_str().to_owned())
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| crate::link::decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "azone=x; zone=Europe%2FCopenhagen; theme=dark".parse().unwrap());
        assert_eq!(cookie(&headers, "zone").as_deref(), Some("Europe/Copenhagen"));
        assert_eq!(cookie(&headers, "theme").as_deref(), Some("dark"));
        assert_eq!(cookie(&headers, "one"), None);
    }
}

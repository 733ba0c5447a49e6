//! Every page and form, with who may open it: the one table that the program serves from and that tests walk through.
//!
//! What a call may do is decided again by the service it calls; the rule here keeps people from pages that they could
//! only fail on.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::Method;
use orchestrator_core::identity::Role;
use orchestrator_grpc::auth::Identity;
use orchestrator_grpc::authorize::{self, Rule};

use crate::app::App;
use crate::error::PageError;
use crate::viewer::Viewer;
use crate::{events, pages};

const VIEWER: Rule = Rule::User(Role::Viewer);
const OPERATOR: Rule = Rule::User(Role::Operator);
const ADMIN: Rule = Rule::User(Role::Admin);

/// One method of one path.
#[derive(Debug)]
pub struct Route {
    /// GET or POST.
    pub method: Method,
    /// As axum writes it, such as `/jobs/{job}`.
    pub path: &'static str,
    /// Who may open it.
    pub rule: Rule,
    pub(crate) handler: MethodRouter<App>,
}

fn open<H, T>(path: &'static str, rule: Rule, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    Route { method: Method::GET, path, rule, handler: get(handler) }
}

fn send<H, T>(path: &'static str, rule: Rule, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    Route { method: Method::POST, path, rule, handler: post(handler) }
}

/// A form that carries a file of at most so many bytes.
fn take<H, T>(path: &'static str, rule: Rule, most_bytes: usize, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let handler = post(handler).layer(DefaultBodyLimit::max(most_bytes));
    Route { method: Method::POST, path, rule, handler }
}

/// The table.
pub fn table() -> Vec<Route> {
    [start(), triggers(), queues(), machines(), records(), settings(), account()].into_iter().flatten().collect()
}

fn start() -> Vec<Route> {
    vec![
        open("/", VIEWER, pages::overview::show),
        open("/events", VIEWER, events::tell),
        open("/calendar", VIEWER, pages::calendar::show),
    ]
}

fn triggers() -> Vec<Route> {
    vec![
        open("/triggers", VIEWER, pages::triggers::list::show),
        open("/triggers/preview", VIEWER, pages::triggers::preview::show),
        send("/triggers/bulk", OPERATOR, pages::triggers::bulk::change),
        open("/triggers/new/{kind}", ADMIN, pages::triggers::form::new),
        send("/triggers/new/{kind}", ADMIN, pages::triggers::form::create),
        open("/triggers/{trigger}", VIEWER, pages::triggers::show::show),
        open("/triggers/{trigger}/edit", ADMIN, pages::triggers::form::edit),
        send("/triggers/{trigger}/edit", ADMIN, pages::triggers::form::save),
        open("/triggers/{trigger}/kill", OPERATOR, pages::triggers::confirm::ask_kill),
        send("/triggers/{trigger}/kill", OPERATOR, pages::triggers::confirm::kill),
        open("/triggers/{trigger}/delete", ADMIN, pages::triggers::confirm::ask_delete),
        send("/triggers/{trigger}/delete", ADMIN, pages::triggers::confirm::delete),
        send("/triggers/{trigger}/enable", OPERATOR, pages::triggers::change::enable),
        send("/triggers/{trigger}/disable", OPERATOR, pages::triggers::change::disable),
        open("/triggers/{trigger}/run", OPERATOR, pages::triggers::run::ask),
        send("/triggers/{trigger}/run", OPERATOR, pages::triggers::run::run),
    ]
}

fn queues() -> Vec<Route> {
    vec![
        open("/queues", VIEWER, pages::queues::list::show),
        open("/queues/{queue}", VIEWER, pages::queues::elements::show),
        open("/queues/{queue}/export", VIEWER, pages::queues::export::download),
        open("/queues/{queue}/new", OPERATOR, pages::queues::element::ask),
        send("/queues/{queue}/new", OPERATOR, pages::queues::element::create),
        open("/queues/{queue}/import", OPERATOR, pages::queues::import::ask),
        take("/queues/{queue}/import", OPERATOR, pages::queues::import::MOST_BYTES, pages::queues::import::upload),
        send("/queues/{queue}/bulk", OPERATOR, pages::queues::bulk::act),
        send("/queues/{queue}/pause", OPERATOR, pages::queues::hold::pause),
        send("/queues/{queue}/resume", OPERATOR, pages::queues::hold::resume),
        open("/queues/{queue}/settings", ADMIN, pages::queues::settings::ask),
        send("/queues/{queue}/settings", ADMIN, pages::queues::settings::change),
        open("/elements/{element}", VIEWER, pages::queues::element::show),
        send("/elements/{element}", OPERATOR, pages::queues::element::change),
        send("/elements/{element}/delete", OPERATOR, pages::queues::element::delete),
    ]
}

fn machines() -> Vec<Route> {
    vec![
        open("/workers", VIEWER, pages::workers::show),
        open("/workers/enroll", ADMIN, pages::workers::enroll::ask),
        send("/workers/enroll", ADMIN, pages::workers::enroll::enroll),
        send("/workers/{worker}/drain", OPERATOR, pages::workers::drain),
        send("/workers/{worker}/resume", OPERATOR, pages::workers::resume),
        open("/workers/{worker}/remove", ADMIN, pages::workers::ask_remove),
        send("/workers/{worker}/remove", ADMIN, pages::workers::remove),
        open("/jobs", VIEWER, pages::jobs::list::show),
        open("/jobs/{job}", VIEWER, pages::jobs::show::show),
        open("/jobs/{job}/output", VIEWER, pages::jobs::output::more),
        open("/jobs/{job}/kill", OPERATOR, pages::jobs::change::ask_kill),
        send("/jobs/{job}/kill", OPERATOR, pages::jobs::change::kill),
        open("/jobs/{job}/dismiss", OPERATOR, pages::jobs::change::ask_dismiss),
        send("/jobs/{job}/dismiss", OPERATOR, pages::jobs::change::dismiss),
        open("/jobs/{job}/retry", OPERATOR, pages::jobs::change::ask_retry),
        send("/jobs/{job}/retry", OPERATOR, pages::jobs::change::retry),
    ]
}

fn records() -> Vec<Route> {
    vec![
        open("/audit", ADMIN, pages::audit::list::show),
        open("/audit/export", ADMIN, pages::audit::export::show),
        open("/logs", VIEWER, pages::logs::show),
        open("/logs/download", VIEWER, pages::logs::download),
        open("/constants", VIEWER, pages::access::list::show),
        open("/constants/constant", ADMIN, pages::access::constant::ask_new),
        send("/constants/constant", ADMIN, pages::access::constant::create),
        open("/constants/constant/{name}", ADMIN, pages::access::constant::ask),
        send("/constants/constant/{name}", ADMIN, pages::access::constant::change),
        send("/constants/constant/{name}/delete", ADMIN, pages::access::constant::delete),
        open("/constants/credential", ADMIN, pages::access::credential::ask_new),
        send("/constants/credential", ADMIN, pages::access::credential::create),
        open("/constants/credential/{name}", ADMIN, pages::access::credential::ask),
        send("/constants/credential/{name}", ADMIN, pages::access::credential::change),
        send("/constants/credential/{name}/reveal", ADMIN, pages::access::credential::reveal),
        send("/constants/credential/{name}/delete", ADMIN, pages::access::credential::delete),
    ]
}

fn settings() -> Vec<Route> {
    vec![
        open("/settings", VIEWER, pages::settings::about::show),
        open("/settings/sessions", ADMIN, pages::settings::sessions::show),
        send("/settings/sessions/{session}/end", ADMIN, pages::settings::sessions::end),
        open("/settings/tokens", ADMIN, pages::settings::tokens::show),
        open("/settings/tokens/new", ADMIN, pages::settings::token_new::ask),
        send("/settings/tokens/new", ADMIN, pages::settings::token_new::create),
        open("/settings/tokens/{token}/revoke", ADMIN, pages::settings::tokens::ask_revoke),
        send("/settings/tokens/{token}/revoke", ADMIN, pages::settings::tokens::revoke),
        open("/settings/users", ADMIN, pages::settings::users::show),
        open("/settings/users/new", ADMIN, pages::settings::user_form::ask),
        send("/settings/users/new", ADMIN, pages::settings::user_form::create),
        open("/settings/users/{user}", ADMIN, pages::settings::user_change::show),
        send("/settings/users/{user}", ADMIN, pages::settings::user_change::update),
        send("/settings/users/{user}/disable", ADMIN, pages::settings::user_change::disable),
        open("/settings/users/{user}/delete", ADMIN, pages::settings::user_change::ask_delete),
        send("/settings/users/{user}/delete", ADMIN, pages::settings::user_change::delete),
        send("/settings/users/{user}/enable", ADMIN, pages::settings::user_change::enable),
        send("/settings/users/{user}/link", ADMIN, pages::settings::user_change::make_link),
        send("/settings/users/{user}/password", ADMIN, pages::settings::user_change::set_password),
        send("/settings/users/{user}/sign-out", ADMIN, pages::settings::user_change::sign_out),
    ]
}

fn account() -> Vec<Route> {
    vec![
        open("/profile", VIEWER, pages::profile::show),
        send("/profile/password", VIEWER, pages::profile::set_password),
        send("/profile/sessions/{session}/end", VIEWER, pages::profile::end_session),
        send("/profile/sign-out-others", VIEWER, pages::profile::sign_out_others),
        open("/login", Rule::Anyone, pages::sign_in::password::ask),
        send("/login", Rule::Anyone, pages::sign_in::password::sign_in),
        send("/login/link", Rule::Anyone, pages::sign_in::link::redeem),
        open("/login/first", Rule::Anyone, pages::sign_in::first::ask),
        send("/login/first", Rule::Anyone, pages::sign_in::first::create),
        send("/logout", Rule::Anyone, pages::sign_in::sign_out),
    ]
}

/// In front of every route: whoever is not signed in goes to the sign-in page and comes back; whoever may not open the
/// page is told so. What goes wrong behind it is drawn here, as the viewer sees it.
pub(crate) async fn guard(State((app, rule)): State<(App, Rule)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let viewer = Viewer::from_parts(&mut parts, &app);
    let allowed = match (rule, parts.extensions.get::<Identity>()) {
        (Rule::Anyone, _) => Ok(()),
        (_, None) => Err(PageError::SignedOut),
        (rule, Some(identity)) => authorize::permit(rule, identity).map_err(PageError::from),
    };
    if let Err(error) = allowed {
        return viewer.fail(&error);
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    match response.extensions().get::<PageError>() {
        Some(error) => viewer.fail(error),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_is_listed_twice() {
        let table = table();
        let routes: BTreeSet<_> = table.iter().map(|route| (route.method.as_str(), route.path)).collect();
        assert_eq!(routes.len(), table.len());
    }

    #[test]
    fn viewers_change_nothing_but_what_is_their_own() {
        for route in table().iter().filter(|route| route.method == Method::POST) {
            let is_own = ["/login", "/logout", "/profile"].iter().any(|own| route.path.starts_with(own));
            assert!(is_own || matches!(route.rule, Rule::User(role) if role > Role::Viewer), "{}", route.path);
        }
    }
}

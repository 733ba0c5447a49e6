use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use orchestrator_grpc::{Inside, Pages};
use tower_http::compression::CompressionLayer;

use crate::{assets, error, headers, routes};

/// What every page has at hand.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inside>);

impl App {
    pub(crate) fn inside(&self) -> &Inside {
        &self.0
    }
}

/// The pages, for a server to serve.
pub fn pages() -> Pages {
    Pages::new(|inside| {
        let app = App(Arc::new(inside));
        let mut router = Router::new();
        for route in routes::table() {
            let guard = from_fn_with_state((app.clone(), route.rule), routes::guard);
            router = router.route(route.path, route.handler.route_layer(guard));
        }
        router
            .route("/assets/{name}", axum::routing::get(assets::serve))
            .fallback(error::nothing_there)
            .layer(map_response_with_state(app.clone(), headers::add))
            .layer(CompressionLayer::new())
            .with_state(app)
    })
}

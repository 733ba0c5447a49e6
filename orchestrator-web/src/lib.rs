//! The administrators' pages: drawn on the server, told of changes by server-sent events, without a build step.
//!
//! A page is one file in `pages/` with its template beside it in `templates/`, and its routes in [`routes`]. It calls the
//! same services as everyone else, as the person who looks at it; so what they may do, what is checked and what is
//! audited is decided in one place. `docs/web-ui.md` tells how to add one.

mod app;
mod assets;
mod chrome;
mod error;
mod events;
mod flash;
mod form;
mod headers;
mod input;
mod link;
mod pager;
mod pages;
mod respond;
pub mod routes;
mod status;
mod text;
mod times;
mod viewer;

pub use app::pages;

//! `/events`: ticks of what changed, by topic.
//!
//! Each carries what the browser has seen when it has looked. It says so when it comes back after a break, and is
//! told at once what changed meanwhile; a page says at first what it was drawn with.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use orchestrator_grpc::{Seen, Topic};
use tokio_stream::wrappers::BroadcastStream;

use crate::app::App;
use crate::form::Query;

/// A stream ends after this time and the browser asks again, so that whoever was signed out hears nothing for long.
const LONGEST: Duration = Duration::from_mins(10);

/// How often a silent stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// What a browser sends that has heard something before.
const LAST: &str = "last-event-id";

/// The handler.
pub(crate) async fn tell(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = app.inside().ticks.clone();
    // Listen first: what changes from here on is heard.
    let later = BroadcastStream::new(ticks.subscribe());
    let last = headers.get(LAST).and_then(|value| value.to_str().ok());
    let mut seen = last.unwrap_or_else(|| query.text("seen")).parse::<Seen>().ok();
    let missed = seen.map_or_else(|| Topic::ALL.to_vec(), |seen| ticks.since(&seen));
    // Whoever lagged looks at everything.
    let later = later.map(|tick| tick.map_or_else(|_| Topic::ALL.to_vec(), |topic| vec![topic]));
    let topics = stream::iter([missed]).chain(later).flat_map(stream::iter);
    let events = topics.map(move |topic| {
        let now = ticks.looked_at(seen.as_ref(), topic);
        seen = Some(now);
        Ok(event(topic, &now))
    });
    let events = events.take_until(tokio::time::sleep(LONGEST));
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}

fn event(topic: Topic, seen: &Seen) -> Event {
    // Browsers drop events without data.
    Event::default().event(topic.as_str()).id(seen.to_string()).data("1")
}

//! `/events`: ticks of what changed, by topic.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, StreamExt as _};
use orchestrator_grpc::Topic;
use tokio_stream::wrappers::BroadcastStream;

use crate::app::App;

/// A stream ends after this time and the browser asks again, so that whoever was signed out hears nothing for long.
const LONGEST: Duration = Duration::from_mins(10);

/// How often a silent stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// The handler.
pub(crate) async fn stream(State(app): State<App>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = BroadcastStream::new(app.inside().ticks.subscribe());
    let events = ticks.flat_map(|tick| {
        // Whoever lagged looks at everything.
        let topics = tick.map_or_else(|_| Topic::ALL.to_vec(), |topic| vec![topic]);
        futures_util::stream::iter(topics.into_iter().map(|topic| Ok(event(topic))))
    });
    let events = events.take_until(tokio::time::sleep(LONGEST));
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE))
}

fn event(topic: Topic) -> Event {
    // Browsers drop events without data.
    Event::default().event(topic.as_str()).data("1")
}

//! Response bodies that end when the server stops, so that no open stream keeps it from stopping.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;

use crate::auth::is_grpc;
use crate::status;

/// A body that is given up once it has nothing to say and the server stops.
struct Ending {
    body: Body,
    stop: Arc<CancellationToken>,
    /// Made when the body first has nothing to say: most never get there.
    stopped: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_grpc: bool,
    ended: bool,
}

/// Lets the body of a response end with the server. What is ready to be sent is sent first.
pub(super) fn with(stop: Arc<CancellationToken>, response: Response<Body>) -> Response<Body> {
    if http_body::Body::is_end_stream(response.body()) {
        return response;
    }
    let is_grpc = is_grpc(response.headers());
    response.map(|body| Body::new(Ending { body, stop, stopped: None, is_grpc, ended: false }))
}

impl Ending {
    /// A gRPC stream says why it ends; anything else just does.
    fn last_frame(&self) -> Option<Result<Frame<Bytes>, Status>> {
        if !self.is_grpc {
            return None;
        }
        let mut trailers = HeaderMap::new();
        // Fails only for text that cannot be in a header, which ours can.
        let _ = status::shutting_down().add_header(&mut trailers);
        Some(Ok(Frame::trailers(trailers)))
    }
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let this = &mut *self;
        let stopped = this.stopped.get_or_insert_with(|| Box::pin((*this.stop).clone().cancelled_owned()));
        if stopped.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.ended = true;
        self.body = Body::empty();
        Poll::Ready(self.last_frame())
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

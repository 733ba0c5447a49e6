//! A wire between a client and a server that can be cut, that can hold calls back, and that can lose answers.
//!
//! It understands HTTP/2, so that it knows which call it carries: losing an answer means that the call reached the
//! server, the server answered, and the connection broke before the client heard it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt as _;

use crate::eventually::eventually;

/// The length of a gRPC frame around an empty message.
const EMPTY_ANSWER: usize = 5;

/// What is wrong with the wire.
#[derive(Debug, Default)]
struct Faults {
    /// Answers still to be lost, by method.
    lose: HashMap<String, u32>,
    /// The service of which one answer is lost, whatever its method, and after how many others.
    lose_of: Option<(&'static str, u32)>,
    /// Methods whose calls are held back.
    held: HashSet<String>,
    /// The method whose answers are kept from their callers, and how many are.
    kept: Option<(String, u32)>,
    /// Calls that arrived, by method.
    calls: HashMap<String, u32>,
    /// Answers that were lost, by method.
    lost: HashMap<String, u32>,
    /// Connections that stand, ended by a cut.
    standing: CancellationToken,
    cut: bool,
}

/// A wire to one server.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    end: CancellationToken,
}

#[derive(Debug)]
struct Shared {
    faults: Mutex<Faults>,
    /// Told of every change of what is held and of what is kept.
    changed: watch::Sender<()>,
    server: Channel,
    tasks: TaskTracker,
}

impl Faults {
    /// The service of the answer to a call of `path`, when it is the one to be lost.
    fn is_its_turn(&mut self, path: &str) -> Option<&'static str> {
        let (service, more) = self.lose_of.filter(|(service, _)| path.contains(service))?;
        self.lose_of = more.checked_sub(1).map(|left| (service, left));
        (more == 0).then_some(service)
    }
}

impl Wire {
    /// A wire to the server at `url`, in good order.
    pub(crate) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let endpoint = Endpoint::from_shared(url.to_owned()).expect("an address");
        let server = endpoint.connect_timeout(Duration::from_secs(2)).connect_lazy();
        let shared = Arc::new(Shared {
            faults: Mutex::default(),
            changed: watch::Sender::default(),
            server,
            tasks: TaskTracker::new(),
        });
        let end = CancellationToken::new();
        let accepting = accept(listener, Arc::clone(&shared));
        shared.tasks.spawn(end.clone().run_until_cancelled_owned(accepting));
        Self { address, shared, end }
    }

    /// The address of its near end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the next `count` answers of the method, such as `ClaimJobs`, that say something.
    pub fn lose_answers(&self, method: &str, count: u32) {
        self.shared.faults().lose.insert(method.to_owned(), count);
    }

    /// Loses an answer to a robot after so many others, whatever it says and whichever method it is of. Counted as
    /// `RobotService`.
    pub fn lose_an_answer_to_a_robot(&self, after: u32) {
        self.lose_an_answer_of("RobotService", after);
    }

    /// Loses an answer of this service after so many others, whatever it says. Counted under the service's name.
    pub fn lose_an_answer_of(&self, service: &'static str, after: u32) {
        self.shared.faults().lose_of = Some((service, after));
    }

    /// Keeps calls of the method back.
    pub fn hold(&self, method: &str) {
        self.shared.faults().held.insert(method.to_owned());
    }

    /// Lets them through.
    pub fn release(&self, method: &str) {
        self.shared.faults().held.remove(method);
        self.shared.changed.send_replace(());
    }

    /// Keeps the answers of the method from now on: its calls are carried out, and their callers hear nothing until the
    /// wire is cut.
    pub fn keep_answers(&self, method: &str) {
        self.shared.faults().kept = Some((method.to_owned(), 0));
    }

    /// Waits until so many answers are kept. Whoever waits goes on at that very moment.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    pub async fn has_kept(&self, count: u32) {
        let mut changed = self.shared.changed.subscribe();
        let kept = async {
            while self.shared.faults().kept.as_ref().is_none_or(|(_, kept)| *kept < count) {
                // The sender lives as long as this does.
                let _ = changed.changed().await;
            }
        };
        let in_time = tokio::time::timeout(crate::SOON, kept).await;
        assert!(in_time.is_ok(), "{count} answers are to be kept: {:?}", self.shared.faults().kept);
    }

    /// Ends all connections and refuses new ones. What was kept is lost.
    pub fn cut(&self) {
        let mut faults = self.shared.faults();
        faults.kept = None;
        faults.cut = true;
        faults.standing.cancel();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.shared.faults().cut = false;
    }

    /// How many calls of the method arrived.
    pub fn calls(&self, method: &str) -> u32 {
        self.shared.faults().calls.get(method).copied().unwrap_or(0)
    }

    /// Waits until a call of the method has arrived.
    pub async fn has_call(&self, method: &str) {
        eventually(&format!("a call of {method}"), crate::SOON, async || {
            ensure!(self.calls(method) > 0, "there was none");
            Ok(())
        })
        .await;
    }

    /// Waits until so many answers of the method have been lost.
    pub async fn has_lost(&self, method: &str, count: u32) {
        eventually(&format!("{count} lost answers of {method}"), crate::SOON, async || {
            let lost = self.shared.faults().lost.get(method).copied().unwrap_or(0);
            ensure!(lost >= count, "{lost} were lost");
            Ok(())
        })
        .await;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.end.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let standing = {
            let mut faults = shared.faults();
            if faults.cut {
                continue;
            }
            if faults.standing.is_cancelled() {
                faults.standing = CancellationToken::new();
            }
            faults.standing.child_token()
        };
        let connection = serve(stream, Arc::clone(&shared), standing);
        shared.tasks.spawn(connection);
    }
}

/// Carries the calls of one connection until either side, or a fault, ends it.
async fn serve(stream: TcpStream, shared: Arc<Shared>, broken: CancellationToken) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        let broken = broken.clone();
        async move {
            if let Ok(response) = shared.carry(request).await {
                return Ok::<_, Infallible>(response);
            }
            // The connection is dropped before an answer could be written.
            broken.cancel();
            std::future::pending().await
        }
    });
    let connection =
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    // Its end is the client's affair.
    let _ = broken.run_until_cancelled(connection).await;
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries one call; fails when the connection is to break instead of an answer.
    async fn carry(&self, request: Request<Incoming>) -> Result<Response<Body>> {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        *self.faults().calls.entry(method.clone()).or_default() += 1;
        self.passes(&method).await;
        let response = self.server.clone().oneshot(request.map(Body::new)).await?;
        if self.faults().kept.as_ref().is_some_and(|(kept, _)| *kept == method) {
            response.into_body().collect().await?;
            match self.keep().await {}
        }
        let turn = self.faults().is_its_turn(&path);
        if let Some(service) = turn {
            // The server has answered when its whole answer is here.
            response.into_body().collect().await?;
            let mut faults = self.faults();
            *faults.lost.entry(service.to_owned()).or_default() += 1;
            anyhow::bail!("the answer is lost");
        }
        if self.faults().lose.get(&method).is_none_or(|left| *left == 0) {
            return Ok(response);
        }
        self.lose_or_pass(&method, response).await
    }

    /// Waits while the method is held back.
    async fn passes(&self, method: &str) {
        let mut changed = self.changed.subscribe();
        while self.faults().held.contains(method) {
            // The sender lives as long as this does.
            let _ = changed.changed().await;
        }
    }

    /// Notes that an answer is here, and never passes it on.
    async fn keep(&self) -> Infallible {
        if let Some((_, kept)) = &mut self.faults().kept {
            *kept += 1;
        }
        self.changed.send_replace(());
        std::future::pending().await
    }

    async fn lose_or_pass(&self, method: &str, response: Response<Body>) -> Result<Response<Body>> {
        let (head, body) = response.into_parts();
        let whole = body.collect().await?;
        let trailers = whole.trailers().cloned();
        let content = whole.to_bytes();
        {
            let mut faults = self.faults();
            let left = faults.lose.get_mut(method).filter(|left| **left > 0 && content.len() > EMPTY_ANSWER);
            if let Some(left) = left {
                *left -= 1;
                *faults.lost.entry(method.to_owned()).or_default() += 1;
                anyhow::bail!("the answer is lost");
            }
        }
        Ok(Response::from_parts(head, again(content, trailers)))
    }
}

/// A body that says the same once more.
fn again(content: Bytes, trailers: Option<http::HeaderMap>) -> Body {
    let Some(trailers) = trailers else { return Body::new(Full::new(content)) };
    let frames = [Ok::<_, Infallible>(Frame::data(content)), Ok(Frame::trailers(trailers))];
    Body::new(StreamBody::new(tokio_stream::iter(frames)))
}

//! The limit of the wire: a server that does nothing but answer what it was sent, in a process of its own.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ExitCode, Stdio};
use std::task::{Context, Poll};

use anyhow::Context as _;
use http::uri::PathAndQuery;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::figure::Figure;
use super::load::{self, Called, Caller, Window};
use super::names;
use crate::programs::{Killed, command};

/// The name under which this program is the server.
pub(crate) const PROCESS_NAME: &str = "echo-server";

const PATH: &str = "/bench.Echo/Echo";

/// A message with one text in its first field, as `google.protobuf.StringValue` is.
type Text = String;

/// Connections, each with one call in flight.
const CONNECTIONS: [usize; 3] = [1, 32, 256];

#[derive(Debug, Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl UnaryService<Text> for Echo {
    type Response = Text;
    type Future = Ready<Result<Response<Text>, Status>>;

    fn call(&mut self, request: Request<Text>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(Self, request).await) })
    }
}

/// Serves until it is killed. The first line says where.
pub(crate) fn serve() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let mut out = std::io::stdout();
        writeln!(out, "http://{}", listener.local_addr()?)?;
        out.flush()?;
        let connections = tokio_stream::StreamExt::map(TcpListenerStream::new(listener), |stream| {
            stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        });
        Server::builder().add_service(Echo).serve_with_incoming(connections).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The figures of all numbers of connections.
pub(crate) async fn measure(payload: &str, window: Window) -> anyhow::Result<Vec<Figure>> {
    let mut child: Child = command(std::env::current_exe()?).arg(PROCESS_NAME).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("no output")?;
    let _server = Killed(child);
    let mut address = String::new();
    BufReader::new(out).read_line(&mut address)?;
    let mut figures = Vec::new();
    for count in CONNECTIONS {
        let callers = load::connect(address.trim(), count)
            .await?
            .into_iter()
            .map(|channel| Echoing { client: tonic::client::Grpc::new(channel), payload: payload.to_owned() });
        figures.push(Figure::of_load(names::echo(count), &load::run(callers.collect(), window).await?));
    }
    Ok(figures)
}

struct Echoing {
    client: tonic::client::Grpc<Channel>,
    payload: Text,
}

impl Caller for Echoing {
    async fn call(&mut self) -> anyhow::Result<Called> {
        // What a generated client does.
        self.client.ready().await?;
        let request = Request::new(self.payload.clone());
        let codec = ProstCodec::<Text, Text>::default();
        let answer = self.client.unary(request, PathAndQuery::from_static(PATH), codec).await?;
        anyhow::ensure!(answer.into_inner().len() == self.payload.len(), "the echo is not what was said");
        Ok(Called::Did(1))
    }

    fn taken(self) -> Vec<String> {
        Vec::new()
    }
}

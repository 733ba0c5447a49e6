//! TLS with given files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::identity::Role;
use orchestrator_grpc::{ServeError, ServeOptions, Services, Shutdown, TlsFiles, serve};
use orchestrator_proto::v1;
use orchestrator_proto::v1::trigger_service_client::TriggerServiceClient;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::http::Answer;
use crate::world::{World, world, world_with};

/// A certificate for localhost, signed by itself, in files.
struct Identity {
    certificate: String,
    der: rustls::pki_types::CertificateDer<'static>,
    files: TlsFiles,
    _folder: tempfile::TempDir,
}

fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = TlsFiles {
        certificate: file("server.pem", made.cert.pem()),
        key: file("server.key", made.signing_key.serialize_pem()),
    };
    Identity { certificate: made.cert.pem(), der: made.cert.der().clone(), files, _folder: folder }
}

async fn encrypted(identity: &Identity) -> World {
    let files = identity.files.clone();
    world_with(move |options| {
        options.tls = Some(files);
        options.handshake_timeout = Duration::from_millis(500);
    })
    .await
}

#[tokio::test]
async fn grpc_and_json_share_the_encrypted_port() {
    let identity = identity();
    let world = encrypted(&identity).await;
    let viewer = world.user(Role::Viewer).await;

    let trust = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&identity.certificate));
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", world.address.port())).unwrap();
    let channel = endpoint.tls_config(trust).unwrap().connect().await.unwrap();
    let list = v1::ListTriggersRequest::default();
    TriggerServiceClient::new(channel).list(viewer.on(list)).await.unwrap();

    for offered in [&[][..], &[b"http/1.1".to_vec()][..]] {
        let mut stream = connect(&world, &identity, offered).await;
        let request = format!(
            "POST /rpc/orchestrator.v1.TriggerService/List HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: 2\r\n\r\n{{}}",
            viewer.bearer.as_deref().unwrap()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(Answer::parse(&String::from_utf8_lossy(&answer)).status, 200);
    }
}

async fn connect(
    world: &World,
    identity: &Identity,
    offered: &[Vec<u8>],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.to_vec();
    let stream = TcpStream::connect(world.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_none_is_given_up() {
    let world = encrypted(&identity()).await;
    for start in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{start:?} is still open");
        assert!(!answer.starts_with(b"HTTP"));
    }
}

#[tokio::test]
async fn files_that_do_not_work_are_named() {
    let (one, other) = (identity(), identity());
    let missing = TlsFiles { certificate: PathBuf::from("no-such.pem"), key: one.files.key.clone() };
    let swapped = TlsFiles { certificate: one.files.key.clone(), key: one.files.certificate.clone() };
    let unfit = TlsFiles { certificate: one.files.certificate.clone(), key: other.files.key.clone() };
    for (files, words) in [
        (missing, "no-such.pem is no PEM file with certificates"),
        (swapped, "server.key is no PEM file with certificates"),
        (unfit, "cannot be used together"),
    ] {
        let world = world().await;
        let services = Services {
            scheduler: world.scheduler.clone(),
            clock: Arc::new(world.clock.clone()),
            accounts: world.accounts.clone(),
            pages: None,
        };
        let options = ServeOptions { tls: Some(files), ..ServeOptions::new("127.0.0.1:0".parse().unwrap()) };
        let error = serve(options, services, Shutdown::new()).await.unwrap_err();
        assert!(matches!(error, ServeError::Tls(_)) && error.to_string().contains(words), "{error}");
    }
}

//! Credentials in the URL of a repository: they open it, and are seen nowhere.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator_core::id::JobId;
use orchestrator_worker::checkout::{Checkout, CheckoutError, CheckoutOptions};
use orchestrator_worker::process::RunningProcess;
use tokio_util::sync::CancellationToken;

use crate::checkout::{checkouts, git, options, repository, request};
use crate::world::World;

const PASSWORD: &str = "s3cret/w0rd";
const IN_URL: &str = "s3cret%2Fw0rd";

/// A git server on this machine that wants a password, and a git that trusts its certificate and notes how it is called.
struct Server {
    world: World,
    port: u32,
    git: PathBuf,
    _process: RunningProcess,
}

impl Server {
    async fn new() -> Self {
        let world = World::new().await;
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])
            .expect("a certificate");
        let certificate = world.write("certificate.pem", &key.cert.pem());
        let key = world.write("key.pem", &key.signing_key.serialize_pem());
        repository(&world);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/supervision/git_server.py");
        let folder = world.path("");
        let arguments = [&script, &folder, &certificate, &key].map(|path| path.to_str().expect("text").to_owned());
        let command: Vec<&str> =
            ["python3"].into_iter().chain(arguments.iter().map(String::as_str)).chain(["robot", PASSWORD]).collect();
        // Of another job: what is left of the checkout's own job is ended after each call of git.
        let process = world.launcher.spawn(&world.spec(JobId::generate(), &command)).expect("python starts");
        let port = world.pid_in("port").await;
        let noted = world.path("noted").display().to_string();
        let text = format!(
            "#!/bin/bash\n(echo \"$*\"; ps -ww -eo args | grep '[g]it-remote') >> '{noted}'\n\
             GIT_SSL_CAINFO='{}' exec git \"$@\"\n",
            certificate.display()
        );
        let git = world.write("noting-git", &text);
        std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).expect("an executable");
        Self { world, port, git, _process: process }
    }

    async fn check_out(&self, user_part: &str, path: &str) -> Result<Checkout, CheckoutError> {
        let url = format!("https://{user_part}localhost:{}/{path}/.git", self.port);
        let options = CheckoutOptions { git: self.git.clone(), ..options(&self.world) };
        checkouts(&self.world, options).check_out(&request(&self.world, &url, None), &CancellationToken::new()).await
    }

    fn authorizations(&self) -> String {
        std::fs::read_to_string(self.world.path("authorizations")).unwrap_or_default()
    }
}

/// Whether any file below a folder contains a text.
fn is_in_files(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")).any(|entry| {
        if entry.file_type().expect("a kind").is_dir() {
            return is_in_files(&entry.path(), text);
        }
        let bytes = std::fs::read(entry.path()).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn a_password_in_the_url_opens_the_repository_and_is_seen_nowhere() {
    let server = Server::new().await;
    let checkout = server.check_out(&format!("robot:{IN_URL}@"), "origin").await.unwrap();
    assert_eq!(checkout.commit(), git(&server.world.path("origin"), &["rev-parse", "main"]));
    let origin = git(checkout.path(), &["remote", "get-url", "origin"]);
    assert_eq!(origin, format!("https://localhost:{}/origin/.git", server.port));
    for secret in ["s3cret", "robot:"] {
        assert!(!std::fs::read_to_string(server.world.path("noted")).unwrap().contains(secret), "on a command line");
        assert!(!is_in_files(&server.world.path("mirrors"), secret), "in the mirror");
        assert!(!is_in_files(checkout.path(), secret), "in the checkout");
    }
}

#[tokio::test]
async fn a_mirror_opens_no_repository_to_those_without_its_password() {
    let server = Server::new().await;
    server.check_out(&format!("robot:{IN_URL}@"), "origin").await.unwrap();
    for user_part in ["", "robot:wr0ng@", "robot@"] {
        let error = server.check_out(user_part, "origin").await.unwrap_err();
        assert!(matches!(error, CheckoutError::Git { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error}");
    }
}

#[tokio::test]
async fn where_the_server_redirects_to_gets_no_password() {
    let server = Server::new().await;
    let error = server.check_out(&format!("robot:{IN_URL}@"), "elsewhere/origin").await.unwrap_err();
    assert!(matches!(error, CheckoutError::Git { .. }), "{error}");
    assert_eq!(server.authorizations().trim(), "127.0.0.1 False");
}

#[tokio::test]
async fn a_url_with_only_a_user_leaves_the_password_to_the_machine() {
    let server = Server::new().await;
    let home = server.world.path("home");
    let helper = "!f() { test $1 = get && grep -q '^username=robot$' && echo password=s3cret/w0rd; }; f";
    server.world.write("home/.gitconfig", &format!("[credential]\n\thelper = \"{}\"\n", helper.replace('"', "\\\"")));
    let text = std::fs::read_to_string(&server.git)
        .unwrap()
        .replace("exec git", &format!("HOME='{}' exec git", home.display()));
    std::fs::write(&server.git, text).unwrap();
    server.check_out("robot@", "origin").await.unwrap();
    assert!(server.check_out("another@", "origin").await.is_err());
    assert!(!std::fs::read_to_string(server.world.path("noted")).unwrap().contains("robot"), "a token may be a user");
}

//! A certificate authority of one's own: what it signs, who trusts it, and what is refused.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use anyhow::{Result, ensure};
use orchestrator_tests::{SOON, World, eventually, on_sqlite, program};

on_sqlite!(
    commands_and_workers_trust_a_server_by_its_authority_and_by_its_name,
    a_certificate_tells_what_it_is_good_for_and_warns_before_it_ends,
    who_looks_after_a_server_is_warned_before_its_certificate_ends,
);

/// A server that shows a certificate. Killed on drop.
struct Encrypted {
    _process: tokio::process::Child,
    port: u16,
    token: String,
}

impl Encrypted {
    /// Starts a server of its own with a certificate of the world's folder, and waits until it is there.
    async fn start(world: &World, name: &str) -> Self {
        let stage = world.stage();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let data = stage.folder(format!("encrypted-{name}"));
        let process = tokio::process::Command::new(program("orchestrator"))
            .args(["server", "start", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(&data)
            .env("ORCHESTRATOR__SERVER__TLS_CERT", stage.path(format!("pki/{name}.pem")))
            .env("ORCHESTRATOR__SERVER__TLS_KEY", stage.path(format!("pki/{name}.key")))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(stage.path(format!("{name}.log"))).expect("a file for the log"))
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let token = eventually("the server listens and has written its token", SOON, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(std::fs::read_to_string(data.join("admin.token"))?)
        })
        .await;
        Self { _process: process, port, token: token.trim().to_owned() }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }
}

async fn authority(world: &World) {
    world.cli(&["cert", "init-ca", "--out", "pki"]).await.ok();
    world.cli(&["cert", "issue", "localhost", "127.0.0.1", "--ca", "pki"]).await.ok();
}

async fn commands_and_workers_trust_a_server_by_its_authority_and_by_its_name(world: &World) -> Result<()> {
    world.cli(&["key", "generate", "encrypted-localhost/orchestrator.key"]).await.ok();
    authority(world).await;
    world.cli(&["cert", "init-ca", "--out", "pki"]).await.refused(5, &["[FILE_EXISTS]", "ca.key"]);
    for key in ["pki/ca.key", "pki/localhost.key"] {
        let mode = std::fs::metadata(world.stage().path(key))?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{key} has mode {mode:o}");
    }
    let server = Encrypted::start(world, "localhost").await;
    let ca = world.stage().path("pki/ca.pem").to_string_lossy().into_owned();
    let signed_in = [("ORCHESTRATOR_TOKEN", server.token.as_str())];
    for host in ["localhost", "127.0.0.1"] {
        let who = ["whoami", "--url", &server.url(host), "--ca-cert", &ca];
        world.cli_with(&who, "", &signed_in).await.ok();
    }
    // What was trusted at the sign-in is trusted from then on.
    let nobody = [("ORCHESTRATOR_URL", ""), ("ORCHESTRATOR_TOKEN", "")];
    let login = ["login", &server.url("localhost"), "--ca-cert", &ca];
    world.cli_with(&login, &server.token, &nobody).await.ok();
    world.cli_with(&["whoami"], "", &nobody).await.ok();
    world.cli_with(&["logout"], "", &nobody).await.ok();
    let untrusting = ["whoami", "--url", &server.url("localhost")];
    world.cli_with(&untrusting, "", &signed_in).await.refused(6, &["[UNREACHABLE]", "certificate", "UnknownIssuer"]);

    let create =
        ["token", "create", "worker", "w", "--out", "w.token", "--url", &server.url("localhost"), "--ca-cert", &ca];
    world.cli_with(&create, "", &signed_in).await.ok();
    let agent = program("orchestrator-worker");
    let doctor = async |url: &str| {
        let arguments =
            ["doctor", "--server", url, "--ca", &ca, "--token-file", "w.token", "--data", "machine", "-o", "json"];
        world.run_program(&agent, &arguments, &[]).await
    };
    let well = doctor(&server.url("localhost")).await.ok().json();
    ensure!(well["findings"][0]["text"].as_str().is_some_and(|text| text.contains("that of worker w")), "{well}");

    // The same authority, another name.
    world.cli(&["key", "generate", "encrypted-robots.example.org/orchestrator.key"]).await.ok();
    world.cli(&["cert", "issue", "robots.example.org", "--ca", "pki"]).await.ok();
    let other = Encrypted::start(world, "robots.example.org").await;
    let who = ["whoami", "--url", &other.url("localhost"), "--ca-cert", &ca];
    let signed_in = [("ORCHESTRATOR_TOKEN", other.token.as_str())];
    world.cli_with(&who, "", &signed_in).await.refused(6, &["not valid for name", "robots.example.org"]);
    let refused = doctor(&other.url("localhost")).await;
    ensure!(refused.code == Some(1) && refused.stdout.contains("not valid for name"), "{refused}");
    Ok(())
}

async fn a_certificate_tells_what_it_is_good_for_and_warns_before_it_ends(world: &World) -> Result<()> {
    authority(world).await;
    let show =
        async |name: &str| world.cli(&["cert", "show", &format!("pki/{name}.pem"), "-o", "json"]).await.ok().json();
    let certificate = show("localhost").await["certificates"][0].clone();
    ensure!(certificate["names"] == serde_json::json!(["localhost", "127.0.0.1"]), "{certificate}");
    ensure!(certificate["state"] == "GOOD" && certificate["isAuthority"] == false, "{certificate}");
    ensure!(certificate["issuer"] == "CN=Orchestrator CA", "{certificate}");
    ensure!(show("ca").await["certificates"][0]["isAuthority"] == true, "the authority is none");

    let quiet = world.cli(&["cert", "show", "pki/localhost.pem"]).await.ok();
    ensure!(!quiet.stderr.contains("warning") && quiet.stdout.contains("SHA-256"), "{quiet}");
    let issue = ["cert", "issue", "localhost", "--ca", "pki", "--days", "5"];
    world.cli(&issue).await.refused(5, &["[FILE_EXISTS]"]);
    let key = || std::fs::read_to_string(world.stage().path("pki/localhost.key"));
    let before = key()?;
    // A renewal loses no name by which somebody connects.
    let whole = "orchestrator cert issue localhost 127.0.0.1 --ca pki --replace";
    world.cli(&[&issue[..], &["--replace"]].concat()).await.refused(2, &["is for 127.0.0.1, too", whole]);
    world.cli(&[&issue[..], &["127.0.0.1", "--replace"]].concat()).await.ok();
    ensure!(key()? != before, "the new certificate has the old key");
    let warned = world.cli(&["cert", "show", "pki/localhost.pem"]).await.ok();
    ensure!(warned.stderr.contains("warning: the certificate of CN=localhost ends in 4 days"), "{warned}");
    let renewed = show("localhost").await["certificates"][0].clone();
    ensure!(renewed["state"] == "SOON" && renewed["sha256"] != certificate["sha256"], "{renewed}");

    // No certificate outlives what signed it.
    world.cli(&["cert", "init-ca", "--out", "brief", "--days", "10"]).await.ok();
    let clipped = world.cli(&["cert", "issue", "a.example", "--ca", "brief"]).await.ok();
    ensure!(clipped.stderr.contains("ends with its certificate authority"), "{clipped}");
    let until = async |file: &str| {
        world.cli(&["cert", "show", file, "-o", "json"]).await.ok().json()["certificates"][0]["until"].clone()
    };
    ensure!(until("brief/a.example.pem").await == until("brief/ca.pem").await, "it outlives its authority");

    world.cli(&["cert", "issue", "https://a", "--ca", "pki"]).await.refused(2, &["neither a host name nor an address"]);
    world.cli(&["cert", "issue", "a", "--ca", "nowhere"]).await.refused(2, &["orchestrator cert init-ca"]);
    world.cli(&["cert", "issue", "a", "--ca", "nowhere", "--replace"]).await.refused(2, &["name the folder"]);
    world.cli(&["cert", "issue", "a", "--ca", "pki", "--out", "pki", "--days", "0"]).await.refused(2, &["--days"]);
    world.cli(&["cert", "show", "pki/ca.key"]).await.refused(2, &["has no certificate in it"]);
    // A server's certificate signs nothing.
    world.stage().folder("posing");
    for kind in ["pem", "key"] {
        let (from, to) = (format!("pki/localhost.{kind}"), format!("posing/ca.{kind}"));
        std::fs::copy(world.stage().path(from), world.stage().path(to))?;
    }
    world.cli(&["cert", "issue", "a", "--ca", "posing"]).await.refused(1, &["is no certificate authority's"]);
    // The key of an authority may be elsewhere: its certificate is not overwritten for that.
    std::fs::rename(world.stage().path("brief/ca.key"), world.stage().path("elsewhere.key"))?;
    world.cli(&["cert", "init-ca", "--out", "brief"]).await.refused(5, &["[FILE_EXISTS]", "ca.pem"]);

    let open = world.stage().path("pki/ca.key");
    std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o644))?;
    world.cli(&["cert", "issue", "a", "--ca", "pki"]).await.refused(2, &["can be read by others"]);
    Ok(())
}

async fn who_looks_after_a_server_is_warned_before_its_certificate_ends(world: &World) -> Result<()> {
    world.cli(&["key", "generate", "encrypted-localhost/orchestrator.key"]).await.ok();
    world.cli(&["cert", "init-ca", "--out", "pki", "--days", "300"]).await.ok();
    world.cli(&["cert", "issue", "localhost", "127.0.0.1", "--ca", "pki", "--days", "6"]).await.ok();
    let server = Encrypted::start(world, "localhost").await;
    let ca = world.stage().path("pki/ca.pem").to_string_lossy().into_owned();
    let url = server.url("localhost");
    let signed_in = [("ORCHESTRATOR_TOKEN", server.token.as_str())];
    let ask = async |arguments: &[&str]| {
        let arguments = [arguments, &["--url", &url, "--ca-cert", &ca]].concat();
        world.cli_with(&arguments, "", &signed_in).await
    };
    eventually("the server warns", SOON, async || {
        let told = std::fs::read_to_string(world.stage().path("localhost.log"))?;
        let renewal = "orchestrator cert issue localhost 127.0.0.1 --ca ";
        ensure!(told.contains(renewal) && told.contains("in 5 days"), "{told}");
        Ok(())
    })
    .await;

    let doctor = ask(&["doctor", "--remote-only", "-o", "json"]).await.json();
    let check = |subject: &str| {
        let checks = doctor["checks"].as_array().cloned().unwrap_or_default();
        checks.into_iter().find(|check| check["subject"] == subject).unwrap_or_default()
    };
    ensure!(check("certificate")["outcome"] == "ODD", "{doctor}");
    ensure!(
        check("certificate")["fix"].as_str().is_some_and(|fix| fix.contains("orchestrator cert issue")),
        "{doctor}"
    );
    ensure!(check("trusted authority")["outcome"] == "GOOD", "{doctor}");
    let status = ask(&["status"]).await.ok();
    ensure!(status.stdout.contains("the server's certificate ends on"), "{status}");
    let status = ask(&["server", "status", "-o", "json"]).await.ok().json();
    ensure!(status["certificateEndsAt"].is_string(), "{status}");
    Ok(())
}

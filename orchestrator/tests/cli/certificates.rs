//! Certificates of one's own: what renews them, and that nobody is shut out by it.

use crate::program::Program;

/// An authority in `pki`, and a server's certificate for two names that ends in ten days.
fn with_certificate() -> Program {
    let program = Program::new();
    let authority = program.run(&["cert", "init-ca", "--out", "pki"]);
    assert!(authority.stderr.contains("orchestrator cert issue NAME… --ca pki"), "{}", authority.stderr);
    let issue = ["cert", "issue", "robots.example.org", "10.0.0.5", "--ca", "pki", "--days", "10"];
    assert_eq!(program.run(&issue).exit_code, 0);
    program
}

#[test]
fn a_renewal_that_would_lose_a_name_is_refused_with_the_whole_command() {
    let program = with_certificate();
    let command = "orchestrator cert issue robots.example.org 10.0.0.5 --ca pki --replace";
    let shown = program.run(&["cert", "show", "pki/robots.example.org.pem"]);
    assert!(shown.stderr.contains(&format!("ends in 9 days; renew it: {command}; give")), "{}", shown.stderr);

    let renew = ["cert", "issue", "robots.example.org", "--ca", "pki", "--replace"];
    let refused = program.run(&renew);
    assert!(refused.exit_code == 2 && refused.stderr.contains("is for 10.0.0.5, too"), "{}", refused.stderr);
    assert!(refused.stderr.contains(command), "{}", refused.stderr);
    let more = program.run(&[&renew[..], &["other.example.org"]].concat());
    let whole = "cert issue robots.example.org 10.0.0.5 other.example.org --ca pki --replace";
    assert!(more.exit_code == 2 && more.stderr.contains(whole), "{}", more.stderr);

    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(program.run(&words).exit_code, 0);
    let shown = program.run(&["cert", "show", "pki/robots.example.org.pem", "-o", "json"]).stdout;
    assert!(shown.contains("10.0.0.5") && shown.contains("GOOD"), "{shown}");
}

#[test]
fn a_certificate_that_is_renewed_needs_its_authority_and_no_new_one() {
    let program = with_certificate();
    for (arguments, says_init) in [(&["--replace"][..], false), (&[][..], true)] {
        let issue = [&["cert", "issue", "robots.example.org", "10.0.0.5"], arguments].concat();
        let refused = program.run(&issue);
        assert_eq!((refused.exit_code, refused.stderr.contains("init-ca")), (2, says_init), "{}", refused.stderr);
        assert!(refused.stderr.contains("--ca FOLDER"), "{}", refused.stderr);
    }
}

#[test]
fn a_server_without_its_certificate_tells_that_and_is_not_started_again() {
    let program = with_certificate();
    assert_eq!(program.run(&["key", "generate", "--data", "here"]).exit_code, 0);
    let files =
        |certificate, key| [("ORCHESTRATOR__SERVER__TLS_CERT", certificate), ("ORCHESTRATOR__SERVER__TLS_KEY", key)];
    let (certificate, key) = ("pki/robots.example.org.pem", "pki/robots.example.org.key");
    let check = ["server", "config", "check"];
    assert_eq!(program.run_with(&check, &files(certificate, key), "").exit_code, 0);
    for (bad, named) in [
        (files("pki/no.pem", key), "pki/no.pem"),
        (files(certificate, certificate), certificate),
        (files(certificate, "pki/ca.key"), "server.tls_key"),
    ] {
        for command in [&check[..], &["server", "start", "--data", "here", "--listen", "127.0.0.1:0"]] {
            let refused = program.run_with(command, &bad, "");
            assert_eq!(refused.exit_code, 2, "{}", refused.stderr);
            assert!(refused.stderr.contains("[TLS_FILES]") && refused.stderr.contains(named), "{}", refused.stderr);
        }
    }
    assert!(
        !program.folder().join("here/orchestrator.db").exists(),
        "the database was made by a server that cannot start"
    );
}

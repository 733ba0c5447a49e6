//! `cert issue`.

use std::net::IpAddr;
use std::path::Path;

use orchestrator_core::clock::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;
use x509_parser::pem::Pem;
use zeroize::Zeroizing;

use super::files::Pair;
use super::{Issue, failed, in_certificate, validity};
use crate::app::App;
use crate::certificate::{instant, issue_command, names_in};
use crate::error::{CliError, Result};
use crate::output::printable;
use crate::secret_file;

const ACTION: &str = "make a certificate";

/// What signs, and until when it may.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    until: Timestamp,
}

pub(super) fn run(args: &Issue, app: &App) -> Result {
    let names = args.names.iter().map(|name| checked(name)).collect::<Result<Vec<String>>>()?;
    let files = Pair::new(args.out.as_deref().unwrap_or(&args.ca), &stem(&names[0]));
    let authority = authority(&args.ca, args.replace, app.now)?;
    if args.replace {
        must_keep_names(args, &names, &files)?;
    } else {
        files.must_be_new()?;
    }
    let (from, wanted) = validity(app.now, args.days);
    let until = wanted.min(authority.until);
    let key = KeyPair::generate().map_err(failed(ACTION))?;
    let params = params(&names, from, until)?;
    let certificate = params.signed_by(&key, &authority.issuer).map_err(failed(ACTION))?;
    let key_text = Zeroizing::new(key.serialize_pem());
    if files.key.exists() || files.certificate.exists() {
        files.replace(&certificate.pem(), &key_text)?;
    } else {
        files.create(&certificate.pem(), &key_text)?;
    }
    if until < wanted {
        app.printer.note("It ends with its certificate authority, and not later.");
    }
    app.printer.note(&next(&names, &files, &args.ca));
    let (pem, key) = (files.certificate.display(), files.key.display());
    let sentence = format!("A certificate for {} is in {pem}, its key in {key}.", names.join(", "));
    let document = json!({ "certificate": files.certificate, "key": files.key, "names": names, "until": until });
    app.printer.own(&document, || pem.to_string(), || printable(&sentence))
}

/// Who connects by a name that a renewed certificate has lost is refused by it.
fn must_keep_names(args: &Issue, names: &[String], files: &Pair) -> Result {
    let present = names_in(&files.certificate);
    let lost: Vec<&str> = present.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let given = names.iter().filter(|name| !present.contains(name));
    // The first names the files.
    let mut all: Vec<String> = names[..1].to_vec();
    all.extend(present.iter().chain(given).filter(|name| **name != names[0]).cloned());
    let out = args.out.as_ref().map(|out| format!(" --out {}", out.display())).unwrap_or_default();
    let file = files.certificate.display();
    Err(CliError::Usage {
        message: format!(
            "the certificate in {file} is for {}, too: without it, who connects by it is refused",
            lost.join(", ")
        ),
        next: Some(format!("{}{out}; to do without, move {file} away first", issue_command(&all, &args.ca))),
    })
}

fn params(names: &[String], from: Timestamp, until: Timestamp) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names).map_err(failed(ACTION))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names[0].as_str());
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (in_certificate(from)?, in_certificate(until)?);
    Ok(params)
}

/// `renews`: for a certificate that those who connect trust already, by the authority that they have.
fn authority(folder: &Path, renews: bool, now: Timestamp) -> Result<Authority> {
    let files = Pair::of_authority(folder);
    let missing = |path: &Path, source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => CliError::Usage {
            message: format!("there is no certificate authority in {}", folder.display()),
            next: Some(
                if renews {
                    "name the folder with its ca.pem and ca.key: --ca FOLDER; nobody trusts a certificate of a new one"
                } else {
                    "orchestrator cert init-ca, or name its folder: --ca FOLDER"
                }
                .to_owned(),
            ),
        },
        _ => CliError::File { action: "read", path: path.to_owned(), source },
    };
    let pem = std::fs::read_to_string(&files.certificate).map_err(|error| missing(&files.certificate, error))?;
    let key = std::fs::read_to_string(&files.key).map(Zeroizing::new).map_err(|error| missing(&files.key, error))?;
    if secret_file::is_open_to_others(&files.key) {
        let path = files.key.display();
        return Err(CliError::Usage {
            message: format!("{path} can be read by others"),
            next: Some(format!("chmod 600 {path}; where others may have read it, begin anew")),
        });
    }
    let unusable = |why: String| CliError::Certificate { action: "use the certificate authority", why };
    let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    let (is_ca, until) = facts(&parsed).map_err(unusable)?;
    if !is_ca {
        return Err(unusable(format!("{} is no certificate authority's", files.certificate.display())));
    }
    if until <= now {
        return Err(CliError::Usage {
            message: format!("the certificate authority in {} is over", folder.display()),
            next: Some("make another one: orchestrator cert init-ca --out FOLDER".to_owned()),
        });
    }
    let key = KeyPair::from_pem(&key).map_err(failed("read the key of the certificate authority"))?;
    let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(failed("use the certificate authority"))?;
    Ok(Authority { issuer, until })
}

fn facts(pem: &Pem) -> Result<(bool, Timestamp), String> {
    let certificate = pem.parse_x509().map_err(|error| error.to_string())?;
    Ok((certificate.is_ca(), instant(certificate.validity().not_after.timestamp())))
}

/// A name that clients can compare: an address, or a host name with at most a first label `*`.
fn checked(name: &str) -> Result<String> {
    let name = name.trim_matches(['[', ']']).to_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let is_label = |label: &str| {
        let is_within = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(is_within)
    };
    let host = name.strip_prefix("*.").unwrap_or(&name);
    if name.len() <= 253 && host.split('.').all(is_label) {
        return Ok(name);
    }
    Err(CliError::Usage {
        message: format!("'{name}' is neither a host name nor an address"),
        next: Some("give names without scheme and port, such as robots.example.org".to_owned()),
    })
}

/// The name of the files: every system takes it.
fn stem(name: &str) -> String {
    name.replace('*', "_").replace(':', "-")
}

/// What makes use of it.
fn next(names: &[String], files: &Pair, ca: &Path) -> String {
    let ca = Pair::of_authority(ca).certificate;
    let hosts: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "Next, in the server's configuration (and restart it):\n\
         [server]\n\
         tls_cert = \"{}\"\n\
         tls_key = \"{}\"\n\
         allowed_hosts = [{}]\n\
         Who connects trusts {}: orchestrator login --ca-cert, orchestrator-worker start --ca",
        files.certificate.display(),
        files.key.display(),
        hosts.join(", "),
        ca.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_clients_compare_is_a_name() {
        for (given, name) in [
            ("Robots.Example.org", "robots.example.org"),
            ("*.example.org", "*.example.org"),
            ("10.0.0.5", "10.0.0.5"),
            ("[::1]", "::1"),
            ("FD00:0:0::5", "fd00::5"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(checked(given).unwrap(), name);
        }
        for given in ["", "https://robots.example.org", "robots:8420", "a..b", "a.*.b", "../ca", "a/b", "b ad"] {
            assert_eq!(checked(given).unwrap_err().exit_code(), 2, "{given}");
        }
    }

    #[test]
    fn an_authority_that_is_over_signs_nothing() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let (from, until) = validity(now, 10);
        (params.not_before, params.not_after) = (in_certificate(from).unwrap(), in_certificate(until).unwrap());
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Pair::of_authority(folder.path()).create(&certificate, &key.serialize_pem()).unwrap();
        assert_eq!(authority(folder.path(), true, now).unwrap().until, until);
        let over = authority(folder.path(), true, until).map(|authority| authority.until).unwrap_err();
        assert!(over.message().ends_with("is over") && over.exit_code() == 2, "{over:?}");
    }

    #[test]
    fn every_system_takes_the_names_of_the_files() {
        assert_eq!((stem("*.example.org").as_str(), stem("::1").as_str()), ("_.example.org", "--1"));
    }
}

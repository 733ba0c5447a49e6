//! `cert init-ca`.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::json;
use zeroize::Zeroizing;

use super::files::Pair;
use super::{InitCa, failed, in_certificate, validity};
use crate::app::App;
use crate::error::Result;
use crate::output::printable;

const ACTION: &str = "make a certificate authority";

pub(super) fn run(args: &InitCa, app: &App) -> Result {
    let files = Pair::of_authority(&args.out);
    files.must_be_new()?;
    let (from, until) = validity(app.now, args.days);
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, args.name.as_str());
    // It signs certificates of servers, and no further authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (in_certificate(from)?, in_certificate(until)?);
    let key = KeyPair::generate().map_err(failed(ACTION))?;
    let certificate = params.self_signed(&key).map_err(failed(ACTION))?;
    files.create(&certificate.pem(), &Zeroizing::new(key.serialize_pem()))?;
    app.printer.note(&format!(
        "Whoever has ca.key can pass for your servers: keep it off them, and off the machines of robots.\n\
         Next:  orchestrator cert issue NAME… --ca {}",
        args.out.display()
    ));
    let (pem, key) = (files.certificate.display(), files.key.display());
    let sentence = format!("A certificate authority is made: {pem} is for all who connect, {key} signs.");
    let document = json!({ "certificate": files.certificate, "key": files.key, "until": until });
    app.printer.own(&document, || pem.to_string(), || printable(&sentence))
}

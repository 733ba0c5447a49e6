//! The command `orchestrator-worker doctor`.

use std::process::ExitCode;

use orchestrator_worker::doctor::{self, Outcome};
use secrecy::SecretString;
use serde_json::json;

use crate::form::Output;
use crate::{Base, configuration, found_worker_token, options, runtime};

/// Nobody is asked for a token: that there is none is a finding.
pub(crate) fn run(base: &Base, output: Output) -> anyhow::Result<ExitCode> {
    let configuration = configuration(base)?;
    let token = found_worker_token(&configuration)?.unwrap_or_else(|| SecretString::from(String::new()));
    let findings = runtime()?.block_on(doctor::examine(&options(&configuration, token)?));
    output.print(&json!({ "findings": findings }), || doctor::page(&findings))?;
    let is_well = findings.iter().all(|finding| finding.outcome != Outcome::Bad);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

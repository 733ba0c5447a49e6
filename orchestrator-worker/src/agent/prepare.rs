//! From an assignment to a command: checkout, entry point, interpreter, arguments, environment.

use std::path::{Path, PathBuf};

use orchestrator_core::secret::ApiToken;
use orchestrator_core::source::{EntryPoint, GitRef, GitUrl};
use tokio_util::sync::CancellationToken;

use super::granted::Granted;
use super::outcome::Outcome;
use super::run::Inner;
use crate::checkout::{Checkout, CheckoutError, CheckoutRequest};
use crate::entry_point;
use crate::interpreter::RobotArguments;
use crate::process::LaunchSpec;
use crate::python_package::{Found, PythonPackage};
use crate::start_up::StartUp;

/// What is ready to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) spec: LaunchSpec,
    pub(super) checkout: Option<Checkout>,
    pub(super) job_token: ApiToken,
}

impl Prepared {
    pub(super) fn commit(&self) -> String {
        self.checkout.as_ref().map(|checkout| checkout.commit().to_owned()).unwrap_or_default()
    }
}

/// Prepares a job, but for what its robot may import. What cannot succeed on a second try is a failure; what may (the network was away) hands the job back.
pub(super) async fn prepare(
    agent: &Inner,
    granted: &Granted,
    job_token: &ApiToken,
    cancel: &CancellationToken,
) -> Result<Prepared, Outcome> {
    let checkout = if granted.is_git_repo { Some(check_out(agent, granted, cancel).await?) } else { None };
    match command(agent, granted, job_token, checkout.as_ref()) {
        Ok(spec) => Ok(Prepared { spec, checkout, job_token: job_token.clone() }),
        Err(outcome) => {
            remove(checkout).await;
            Err(outcome)
        }
    }
}

/// Removes a checkout; what cannot be removed is told and left to the next start of the agent.
pub(super) async fn remove(checkout: Option<Checkout>) {
    if let Some(checkout) = checkout
        && let Err(error) = checkout.remove().await
    {
        tracing::warn!(error = %error, "a checkout could not be removed");
    }
}

async fn check_out(agent: &Inner, granted: &Granted, cancel: &CancellationToken) -> Result<Checkout, Outcome> {
    let failed = |error: &dyn std::fmt::Display| Outcome::failed(None, error.to_string());
    let url = GitUrl::parse(&granted.process_path).map_err(|error| failed(&error))?;
    let git_ref = granted.git_branch.as_deref().map(GitRef::parse).transpose().map_err(|error| failed(&error))?;
    let request = CheckoutRequest { cookie: granted.cookie, url, git_ref, time_limit: agent.options.checkout_limit };
    agent.checkouts.check_out(&request, cancel).await.map_err(|error| match error {
        CheckoutError::NotAllowed { .. } => failed(&error),
        error if is_of_machine(&error) => Outcome::unfit(error.to_string()),
        error => Outcome::never_started(error.to_string()),
    })
}

/// Whether a checkout failed for want of room on this machine. A git server that is away would be away for others, too, and
/// jobs without a repository can be run meanwhile.
fn is_of_machine(error: &CheckoutError) -> bool {
    const NO_ROOM: [&str; 2] = ["No space left on device", "Disk quota exceeded"];
    match error {
        CheckoutError::Folder { .. } => true,
        CheckoutError::Git { said, .. } => NO_ROOM.iter().any(|words| said.contains(words)),
        _ => false,
    }
}

fn command(
    agent: &Inner,
    granted: &Granted,
    job_token: &ApiToken,
    checkout: Option<&Checkout>,
) -> Result<LaunchSpec, Outcome> {
    let failed = |error: &dyn std::fmt::Display| Outcome::failed(None, error.to_string());
    let inherited = std::env::var_os("PYTHONPATH");
    let python_path = agent.python.python_path(inherited.as_deref()).map_err(|error| failed(&error))?;
    let (file, folder) = if let Some(checkout) = checkout {
        let named =
            granted.entry_point.as_deref().map(EntryPoint::parse).transpose().map_err(|error| failed(&error))?;
        let file = entry_point::in_checkout(checkout.path(), named.as_ref()).map_err(|error| failed(&error))?;
        (file, checkout.path().to_owned())
    } else {
        let file = entry_point::at_path(Path::new(&granted.process_path), &agent.options.allowed_paths);
        let file = file.map_err(|error| failed(&error))?;
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        (file, folder)
    };
    let arguments = RobotArguments {
        process_name: &granted.process_name,
        endpoint: &agent.endpoint_url,
        process_args: &granted.process_args,
        trigger_id: granted.trigger_id,
        job_id: granted.job,
    };
    let start = StartUp { arguments, job_token, cookie: granted.cookie, python_path };
    let interpreters = agent.options.interpreters_of(&granted.process_name);
    start.command(interpreters, &file, folder).map_err(|error| failed(&error))
}

/// Makes the package whole that Python robots import, if anybody has touched it.
pub(super) async fn make_package_whole(package: &PythonPackage) -> Result<(), Outcome> {
    if package.is_untouched() {
        return Ok(());
    }
    let unpacking = package.clone();
    let found = tokio::task::spawn_blocking(move || unpacking.ensure()).await;
    let retry = |error: &dyn std::fmt::Display| Outcome::unfit(error.to_string());
    match found.map_err(|error| retry(&error))?.map_err(|error| retry(&error))? {
        Found::Whole => {}
        found => tracing::info!(folder = %package.folder().display(), ?found, "the Python package was not whole"),
    }
    Ok(())
}

//! The command of a robot on a desk: the start-up contract that robots have with workers.

use std::path::{Path, PathBuf};

use orchestrator_core::id::TriggerId;
use orchestrator_core::secret::ApiToken;
use orchestrator_core::source::EntryPoint;

use super::{DeskError, DeskRun, DeskSource};
use crate::checkout::Checkout;
use crate::entry_point;
use crate::interpreter::RobotArguments;
use crate::process::{JobCookie, LaunchSpec};
use crate::python_package::PythonPackage;
use crate::start_up::StartUp;

/// What the command is made of, apart from what is to be run.
pub(super) struct Start<'a> {
    pub(super) desk: &'a DeskRun,
    pub(super) cookie: JobCookie,
    pub(super) trigger: TriggerId,
    pub(super) endpoint: &'a str,
    pub(super) token: &'a ApiToken,
}

impl Start<'_> {
    pub(super) fn command(&self, checkout: Option<&Checkout>, scratch: &Path) -> Result<LaunchSpec, DeskError> {
        let options = &self.desk.options;
        let (file, folder) = match (&self.desk.source, checkout) {
            (DeskSource::File(path), _) => self.script(path)?,
            (DeskSource::Repository { entry_point, .. }, Some(checkout)) => {
                in_checkout(checkout, entry_point.as_ref())?
            }
            (DeskSource::Repository { .. }, None) => return Err(DeskError::NoCheckout),
        };
        let python = PythonPackage::below(&scratch.join("python"));
        python.ensure()?;
        let arguments = RobotArguments {
            process_name: &self.desk.process_name,
            endpoint: self.endpoint,
            process_args: &self.desk.process_args,
            trigger_id: self.trigger,
            job_id: self.cookie.job(),
        };
        let python_path = python.python_path(std::env::var_os("PYTHONPATH").as_deref())?;
        let start = StartUp { arguments, job_token: self.token, cookie: self.cookie, python_path };
        Ok(start.command(options.interpreters_of(&self.desk.process_name), &file, folder)?)
    }

    fn script(&self, path: &Path) -> Result<(PathBuf, PathBuf), DeskError> {
        let path = std::path::absolute(path).map_err(DeskError::Folder)?;
        let file = entry_point::at_path(&path, &self.desk.options.allowed_paths)?;
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        Ok((file, folder))
    }
}

fn in_checkout(checkout: &Checkout, named: Option<&EntryPoint>) -> Result<(PathBuf, PathBuf), DeskError> {
    let file = entry_point::in_checkout(checkout.path(), named)?;
    Ok((file, checkout.path().to_owned()))
}

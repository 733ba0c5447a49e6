//! How a robot learns whose it is: the arguments and the environment that a worker gives it.

use std::time::Duration;

use orchestrator_core::secret::Plaintext;

use super::RobotConnection;
use super::transport::Transport;
use crate::{Client, ClientBuilder, Error, SetupError};

/// Where a worker's endpoint is.
const ENDPOINT_VARIABLE: &str = "ORCHESTRATOR_ENDPOINT";
/// What opens it.
const TOKEN_VARIABLE: &str = "ORCHESTRATOR_JOB_TOKEN";
/// How long a robot waits for its worker, which itself waits for the server.
const PATIENCE: Duration = Duration::from_mins(1);

impl RobotConnection {
    /// The connection of a robot that a worker started. Its arguments are
    /// `<process name> <endpoint> <placeholder> <process arguments> [<trigger id> [<job id>]]`.
    pub fn from_args() -> Result<Self, Error> {
        Self::from_parts(std::env::args().skip(1), |name| std::env::var(name).ok())
    }

    fn from_parts(
        arguments: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let arguments: Vec<String> = arguments.into_iter().collect();
        let not_a_robot = |what: String| SetupError::NotARobot { what };
        let [process_name, endpoint, _, process_arguments, ids @ ..] = arguments.as_slice() else {
            let what = format!("a robot gets 4 to 6 arguments, this program got {}", arguments.len());
            return Err(not_a_robot(what).into());
        };
        let endpoint = Some(endpoint.clone()).filter(|text| text.starts_with("http://"));
        let endpoint = endpoint.or_else(|| variable(ENDPOINT_VARIABLE));
        let missing = |name: &str| not_a_robot(format!("the environment variable {name} is missing"));
        let endpoint = endpoint.ok_or_else(|| missing(ENDPOINT_VARIABLE))?;
        let token = variable(TOKEN_VARIABLE).ok_or_else(|| missing(TOKEN_VARIABLE))?;
        Ok(Self {
            transport: Transport::worker(&endpoint, &Plaintext::new(token), PATIENCE)?,
            process_name: process_name.clone(),
            process_arguments: process_arguments.clone(),
            trigger_id: ids.first().cloned().filter(|id| !id.is_empty()),
            job_id: ids.get(1).cloned().filter(|id| !id.is_empty()),
        })
    }

    /// The connection of a robot that is being developed: straight to a server, with a user's token. The server makes a
    /// development job for it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), orchestrator_client::Error> {
    /// let server = orchestrator_client::Client::builder("http://localhost:8420").token_file("me.token");
    /// let robot = orchestrator_client::RobotConnection::for_development("Invoices", server, r#"{"month": 11}"#).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn for_development(
        process_name: &str,
        server: ClientBuilder,
        process_arguments: &str,
    ) -> Result<Self, Error> {
        let client: Client = server.connect_lazy()?;
        let mut robot = Self {
            transport: Transport::Server(client),
            process_name: process_name.to_owned(),
            process_arguments: process_arguments.to_owned(),
            trigger_id: None,
            job_id: None,
        };
        let context = robot.begin_development().await?;
        robot.trigger_id = Some(context.trigger_id).filter(|id| !id.is_empty());
        robot.job_id = Some(context.job_id).filter(|id| !id.is_empty());
        Ok(robot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Result<RobotConnection, Error> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        RobotConnection::from_parts(arguments.iter().map(|argument| (*argument).to_owned()), find)
    }

    const TOKEN: (&str, &str) = ("ORCHESTRATOR_JOB_TOKEN", "orc_job_x");

    #[tokio::test]
    async fn a_worker_says_all_that_a_robot_needs() {
        let robot = start(&["Invoices", "http://127.0.0.1:9", "not-a-key", "{\"a\": 1}", "t", "j"], &[TOKEN]).unwrap();
        assert_eq!((robot.process_name(), robot.process_arguments()), ("Invoices", "{\"a\": 1}"));
        assert_eq!((robot.trigger_id(), robot.job_id()), (Some("t"), Some("j")));
        let robot = start(&["Invoices", "none", "", ""], &[TOKEN, ("ORCHESTRATOR_ENDPOINT", "http://127.0.0.1:9")]);
        assert_eq!(robot.unwrap().job_id(), None);
    }

    #[tokio::test]
    async fn what_a_program_lacks_that_is_no_robot_is_named() {
        let said = |result: Result<RobotConnection, Error>| result.unwrap_err().to_string();
        assert!(said(start(&["x"], &[TOKEN])).contains("4 to 6 arguments, this program got 1"));
        assert!(said(start(&["x", "none", "", ""], &[TOKEN])).contains("ORCHESTRATOR_ENDPOINT"));
        assert!(said(start(&["x", "http://127.0.0.1:9", "", ""], &[])).contains("ORCHESTRATOR_JOB_TOKEN"));
        assert!(said(start(&["x", "http://", "", ""], &[TOKEN])).contains("http://"));
    }
}

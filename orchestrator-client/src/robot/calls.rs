//! What a robot asks and says, apart from its elements.

use chrono::{DateTime, Utc};
use orchestrator_core::id::LogId;
use orchestrator_core::secret::Plaintext;
use orchestrator_proto::v1 as pb;

use super::RobotConnection;
use crate::Error;

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// For whoever looks for a fault.
    Trace,
    /// What a robot does.
    Info,
    /// What went wrong.
    Error,
}

impl LogLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Info => "INFO",
            Self::Error => "ERROR",
        }
    }
}

/// A credential with its password.
#[derive(Debug)]
#[non_exhaustive]
pub struct RobotCredential {
    /// The user's name.
    pub username: String,
    /// Shown by `expose` alone.
    pub password: Plaintext,
    /// When it was changed last.
    pub changed_at: Option<DateTime<Utc>>,
}

impl RobotConnection {
    /// Has the server make a development job.
    pub(super) async fn begin_development(&self) -> Result<pb::GetContextResponse, Error> {
        let request = pb::GetContextRequest {
            process_name: self.process_name.clone(),
            process_args: self.process_arguments.clone(),
        };
        self.transport.call("/orchestrator.v1.RobotService/GetContext", request, |_| ()).await
    }

    /// The job and its trigger, as the server knows them.
    pub async fn context(&self) -> Result<pb::GetContextResponse, Error> {
        self.transport.call("/orchestrator.v1.RobotService/GetContext", pb::GetContextRequest::default(), |_| ()).await
    }

    /// Writes a line for whoever looks for a fault.
    pub async fn log_trace(&self, message: &str) -> Result<(), Error> {
        self.log(LogLevel::Trace, message).await
    }

    /// Writes what the robot does.
    pub async fn log_info(&self, message: &str) -> Result<(), Error> {
        self.log(LogLevel::Info, message).await
    }

    /// Writes what went wrong.
    pub async fn log_error(&self, message: &str) -> Result<(), Error> {
        self.log(LogLevel::Error, message).await
    }

    /// Writes a line. One that is too long is cut in the middle, and says so.
    pub async fn log(&self, level: LogLevel, message: &str) -> Result<(), Error> {
        let line = pb::NewLog {
            id: LogId::generate().to_string(),
            log_time: None,
            log_level: level.as_str().to_owned(),
            log_message: message.to_owned(),
        };
        let request = pb::LogRequest { logs: vec![line] };
        let pb::LogResponse {} = self.transport.call("/orchestrator.v1.RobotService/Log", request, |_| ()).await?;
        Ok(())
    }

    /// The value of a constant.
    pub async fn get_constant(&self, name: &str) -> Result<String, Error> {
        let request = pb::RobotGetConstantRequest { name: name.to_owned() };
        let path = "/orchestrator.v1.RobotService/GetConstant";
        let answer: pb::RobotGetConstantResponse = self.transport.call(path, request, |_| ()).await?;
        Ok(answer.constant.map(|constant| constant.value).unwrap_or_default())
    }

    /// Changes a constant that is there.
    pub async fn update_constant(&self, name: &str, value: &str) -> Result<(), Error> {
        let request = pb::RobotUpdateConstantRequest { name: name.to_owned(), value: value.to_owned() };
        let path = "/orchestrator.v1.RobotService/UpdateConstant";
        self.transport.call::<_, pb::RobotUpdateConstantResponse>(path, request, |_| ()).await.map(drop)
    }

    /// A user name with its password. The server writes down which job saw it.
    pub async fn get_credential(&self, name: &str) -> Result<RobotCredential, Error> {
        let request = pb::RobotGetCredentialRequest { name: name.to_owned() };
        let path = "/orchestrator.v1.RobotService/GetCredential";
        let answer: pb::RobotGetCredentialResponse = self.transport.call(path, request, |_| ()).await?;
        let changed_at =
            answer.changed_at.and_then(|at| DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?));
        Ok(RobotCredential { username: answer.username, password: Plaintext::new(answer.password), changed_at })
    }

    /// Changes a credential that is there.
    pub async fn update_credential(&self, name: &str, username: &str, password: &Plaintext) -> Result<(), Error> {
        let request = pb::RobotUpdateCredentialRequest {
            name: name.to_owned(),
            username: username.to_owned(),
            password: password.expose().to_owned(),
        };
        let path = "/orchestrator.v1.RobotService/UpdateCredential";
        let pb::RobotUpdateCredentialResponse {} = self.transport.call(path, request, |_| ()).await?;
        Ok(())
    }

    /// Whether the trigger is on hold or the job is to be killed: the robot should finish early.
    pub async fn is_trigger_pausing(&self) -> Result<bool, Error> {
        let path = "/orchestrator.v1.RobotService/IsPausing";
        let answer: pb::IsPausingResponse = self.transport.call(path, pb::IsPausingRequest {}, |_| ()).await?;
        Ok(answer.pausing)
    }

    /// Puts the job's trigger on hold.
    pub async fn pause_my_trigger(&self) -> Result<(), Error> {
        let path = "/orchestrator.v1.RobotService/Pause";
        let pb::PauseResponse {} = self.transport.call(path, pb::PauseRequest {}, |_| ()).await?;
        Ok(())
    }
}

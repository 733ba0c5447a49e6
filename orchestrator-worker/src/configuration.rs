//! The worker's configuration: defaults, then a TOML file, then `ORCHESTRATOR_WORKER__KEY` in the environment, then flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interpreter::Interpreters;
use crate::output::OutputLimit;
use crate::robot_api::RobotApiOptions;
use crate::spool::SpoolLimits;

/// Everything a worker can be told. Unknown keys are refused by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// The server's address.
    pub server: String,
    /// A file with the worker token.
    pub token_file: Option<PathBuf>,
    /// A certificate authority to trust beside the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// The agent's own folder.
    pub data: PathBuf,
    /// Jobs at once, 1 to 1000.
    pub slots: u32,
    /// Take only jobs whose whitelist names this worker.
    pub exclusive: bool,
    /// Folders that scripts and `file://` repositories must lie in. When empty: scripts anywhere, such repositories nowhere.
    pub allowed_paths: Vec<PathBuf>,
    /// The git program.
    pub git: PathBuf,
    /// Mebibytes of disk that the mirrors of git repositories may use; 0 switches them off.
    pub mirrors_max_mib: u64,
    /// Days after which the mirror of a repository that no job used is removed.
    pub mirrors_max_age_days: u32,
    /// How long a checkout may take, in seconds.
    pub checkout_limit_seconds: u64,
    /// Commands by extension, such as `".py" = ["python3"]`; added to the built-in ones.
    pub interpreters: BTreeMap<String, Vec<String>>,
    /// Settings for single processes, by the name of the process.
    pub processes: BTreeMap<String, ProcessConfiguration>,
    /// Bytes of a job's output that are kept from its beginning.
    pub output_head_bytes: usize,
    /// Bytes of a job's output that are kept from its end.
    pub output_tail_bytes: usize,
    /// Where robots are served: an address on loopback; port 0 is any free one.
    pub robot_listen: SocketAddr,
    /// How long a robot's call waits for a server that is away, in seconds.
    pub robot_patience_seconds: u64,
    /// Bytes that are kept on disk of what robots write while the server is away, of all jobs together.
    pub spool_bytes: u64,
    /// The same, of one job.
    pub spool_job_bytes: u64,
}

/// What a worker can be told about one process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessConfiguration {
    /// Commands by extension for this process, such as `".py" = ["/srv/invoices/.venv/bin/python"]`; added to those of the
    /// worker.
    pub interpreters: BTreeMap<String, Vec<String>>,
}

impl Default for Configuration {
    fn default() -> Self {
        let output = OutputLimit::default();
        let robot_api = RobotApiOptions::default();
        Self {
            server: "http://127.0.0.1:8420".to_owned(),
            token_file: None,
            ca_file: None,
            data: PathBuf::from("orchestrator-worker"),
            slots: 1,
            exclusive: false,
            allowed_paths: Vec::new(),
            git: PathBuf::from("git"),
            mirrors_max_mib: 10 * 1024,
            mirrors_max_age_days: 30,
            checkout_limit_seconds: 600,
            interpreters: BTreeMap::new(),
            processes: BTreeMap::new(),
            output_head_bytes: output.head_bytes,
            output_tail_bytes: output.tail_bytes,
            robot_listen: robot_api.listen,
            robot_patience_seconds: robot_api.patience.as_secs(),
            spool_bytes: robot_api.spool.worker_bytes,
            spool_job_bytes: robot_api.spool.job_bytes,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A file, a variable or a key that cannot be read; names it.
    #[error("the worker's configuration cannot be used: {0}")]
    Source(#[from] config::ConfigError),
    /// A number out of its range.
    #[error("slots is {0}; it must be from 1 to 1000")]
    Slots(u32),
    /// An address that other machines reach.
    #[error("robot_listen is {0}; it must be an address on loopback, such as 127.0.0.1:0: robots run on this machine")]
    RobotListen(SocketAddr),
}

impl Configuration {
    /// Reads the file, where one is given, and the environment.
    pub fn load(file: Option<&std::path::Path>) -> Result<Self, ConfigurationError> {
        let mut builder = config::Config::builder();
        if let Some(file) = file {
            builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        let environment = config::Environment::with_prefix("ORCHESTRATOR_WORKER")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true);
        Ok(builder.add_source(environment).build()?.try_deserialize()?)
    }

    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigurationError> {
        if !(1..=1000).contains(&self.slots) {
            return Err(ConfigurationError::Slots(self.slots));
        }
        if !self.robot_listen.ip().is_loopback() {
            return Err(ConfigurationError::RobotListen(self.robot_listen));
        }
        Ok(())
    }

    /// The built-in interpreters with the configured ones over them.
    pub fn interpreters(&self) -> Interpreters {
        Interpreters::default().overridden_by(Interpreters::from_rules(self.interpreters.clone()))
    }

    /// The interpreters of processes that have their own, with the worker's below them.
    pub fn process_interpreters(&self) -> BTreeMap<String, Interpreters> {
        let own = |process: &ProcessConfiguration| {
            self.interpreters().overridden_by(Interpreters::from_rules(process.interpreters.clone()))
        };
        self.processes.iter().map(|(name, process)| (name.clone(), own(process))).collect()
    }

    /// How much disk the mirrors of repositories may use, in bytes.
    pub fn mirrors_max_bytes(&self) -> u64 {
        self.mirrors_max_mib.saturating_mul(1024 * 1024)
    }

    /// How long the mirror of a repository is kept without being used.
    pub fn mirrors_max_age(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.mirrors_max_age_days))
    }

    /// How much output is kept.
    pub fn output(&self) -> OutputLimit {
        OutputLimit { head_bytes: self.output_head_bytes, tail_bytes: self.output_tail_bytes }
    }

    /// How robots are served.
    pub fn robot_api(&self) -> RobotApiOptions {
        RobotApiOptions {
            listen: self.robot_listen,
            patience: Duration::from_secs(self.robot_patience_seconds),
            spool: SpoolLimits { worker_bytes: self.spool_bytes, job_bytes: self.spool_job_bytes },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn what_a_file_leaves_out_has_its_default() {
        let file = file("slots = 4\n[interpreters]\n\".js\" = [\"node\"]\n");
        let configuration = Configuration::load(Some(file.path())).unwrap();
        assert_eq!(configuration.slots, 4);
        assert_eq!(configuration.git, PathBuf::from("git"));
        assert_eq!(configuration.interpreters[".js"], ["node"]);
    }

    #[test]
    fn a_process_has_interpreters_of_its_own_and_the_others() {
        let file = file(concat!(
            "[interpreters]\n\".js\" = [\"node\"]\n",
            "[processes.\"Årlige Fakturaer v1.2\".interpreters]\n\".py\" = [\"/srv/Invoices/.venv/bin/python\", \"-X\", \"dev\"]\n",
        ));
        let configuration = Configuration::load(Some(file.path())).unwrap();
        let own = &configuration.process_interpreters()["Årlige Fakturaer v1.2"];
        let python = own.command_for(std::path::Path::new("main.py")).unwrap();
        assert_eq!((python.program.to_str(), python.args.len()), (Some("/srv/Invoices/.venv/bin/python"), 3));
        assert_eq!(own.command_for(std::path::Path::new("main.js")).unwrap().program, "node");
        assert_ne!(configuration.interpreters(), *own);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let file = file("slotz = 4\n");
        let error = Configuration::load(Some(file.path())).unwrap_err().to_string();
        assert!(error.contains("slotz"), "{error}");
    }

    #[test]
    fn no_slot_at_all_is_refused() {
        let configuration = Configuration { slots: 0, ..Configuration::default() };
        assert_eq!(configuration.check().unwrap_err().to_string(), "slots is 0; it must be from 1 to 1000");
    }

    #[test]
    fn robots_are_served_on_this_machine_only() {
        let configuration = Configuration { robot_listen: ([0, 0, 0, 0], 0).into(), ..Configuration::default() };
        let error = configuration.check().unwrap_err().to_string();
        assert!(error.contains("robot_listen is 0.0.0.0:0"), "{error}");
        assert!(Configuration::default().check().is_ok());
    }
}

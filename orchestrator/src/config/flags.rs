//! Flags that win over file and environment.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Where the configuration comes from, and what is different this time.
#[derive(Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigFlags {
    /// The configuration file.
    #[arg(long, env = "ORCHESTRATOR_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// server.listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// server.insecure = true
    #[arg(long)]
    pub insecure: bool,
    /// database.url. Other users of this machine can see a password here: prefer the file or the environment.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// database.data_folder
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// database.accept_weak_durability = true
    #[arg(long)]
    pub accept_weak_durability: bool,
    /// security.key_file
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl fmt::Debug for ConfigFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFlags").field("config", &self.config).field("data", &self.data).finish_non_exhaustive()
    }
}

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::spool::SpoolLimits;

/// How the worker serves its robots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RobotApiOptions {
    /// Where it listens: loopback; port 0 is any free one.
    pub listen: SocketAddr,
    /// How long a robot's call waits for a server that is away.
    pub patience: Duration,
    /// How much is kept for a server that is away.
    pub spool: SpoolLimits,
}

impl Default for RobotApiOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            patience: Duration::from_mins(1),
            spool: SpoolLimits::default(),
        }
    }
}

//! Who did something, as the audit trail and `changed_by` columns tell it.

use std::fmt;

use crate::states::named_states;
use crate::text::ActorName;

named_states!(
    /// The kinds of actors.
    ActorKind, "actor kind" {
        /// A person or a script of theirs.
        User = "USER",
        /// A worker agent.
        Worker = "WORKER",
        /// A robot, in the name of its job.
        Job = "JOB",
        /// The server itself.
        System = "SYSTEM",
    }
);

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// Its name: of a token, a worker, or a job's process.
    pub name: ActorName,
}

impl Actor {
    /// An actor with a name.
    pub fn new(kind: ActorKind, name: ActorName) -> Self {
        Self { kind, name }
    }

    /// The server, acting by itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, name: ActorName::from_stored("system".to_owned()) }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ActorKind::System => f.write_str("the server"),
            ActorKind::User => write!(f, "user {}", self.name),
            ActorKind::Worker => write!(f, "worker {}", self.name),
            ActorKind::Job => write!(f, "robot {}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_named_by_what_it_is() {
        let robot = Actor::new(ActorKind::Job, ActorName::parse("Invoices").unwrap());
        assert_eq!(robot.to_string(), "robot Invoices");
        assert_eq!(Actor::system().to_string(), "the server");
    }
}

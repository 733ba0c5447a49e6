//! Who calls: roles and kinds of identities.

use crate::states::named_states;

named_states!(
    /// What a user may do. Each role may do all that the ones before it may.
    Role, "role" {
        /// Look.
        Viewer = "VIEWER",
        /// Run, pause, kill, work on elements.
        Operator = "OPERATOR",
        /// Everything.
        Admin = "ADMIN",
    }
);

named_states!(
    /// The kinds of identities that call the server.
    IdentityKind, "identity kind" {
        /// A person or a script of theirs.
        User = "USER",
        /// A worker agent.
        Worker = "WORKER",
        /// One running job.
        Job = "JOB",
    }
);

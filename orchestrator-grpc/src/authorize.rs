//! Who may call what: one table over all methods. What is not in it is refused for everyone.

use std::collections::HashMap;
use std::sync::LazyLock;

use orchestrator_core::identity::Role;
use tonic::{Code, Status};

use crate::auth::Identity;
use crate::status::{Refusal, reason};

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anyone, without a token.
    Anyone,
    /// Whoever has a valid token.
    Authenticated,
    /// Users of this role or a higher one.
    User(Role),
    /// Users about themselves, and administrators about everyone: the method decides.
    Oneself,
    /// Worker agents.
    Worker,
    /// A running job, through its worker; operators, as a development job.
    Job,
    /// The same, where the same thing is for administrators when users do it.
    JobOrAdmin,
}

const VIEWER: Rule = Rule::User(Role::Viewer);
const OPERATOR: Rule = Rule::User(Role::Operator);
const ADMIN: Rule = Rule::User(Role::Admin);

/// One service's methods.
type Methods = &'static [(&'static str, Rule)];

/// The table.
pub const TABLE: &[(&str, Methods)] = &[
    (
        "orchestrator.v1.TriggerService",
        &[
            ("Create", ADMIN),
            ("Get", VIEWER),
            ("List", VIEWER),
            ("Update", ADMIN),
            ("Delete", ADMIN),
            ("Enable", OPERATOR),
            ("Disable", OPERATOR),
            ("RunNow", OPERATOR),
            ("Kill", OPERATOR),
            ("PreviewSchedule", VIEWER),
            ("ListDecisions", VIEWER),
            ("ListPlannedRuns", VIEWER),
        ],
    ),
    (
        "orchestrator.v1.JobService",
        &[
            ("List", VIEWER),
            ("Get", VIEWER),
            ("Kill", OPERATOR),
            ("Retry", OPERATOR),
            ("Dismiss", OPERATOR),
            ("EndDevelopment", OPERATOR),
            ("ReadOutput", VIEWER),
            ("WatchOutput", VIEWER),
        ],
    ),
    (
        "orchestrator.v1.QueueService",
        &[
            ("ListQueues", VIEWER),
            ("GetQueue", VIEWER),
            ("GetHistory", VIEWER),
            ("Create", OPERATOR),
            ("BulkCreate", OPERATOR),
            ("Import", OPERATOR),
            ("Claim", OPERATOR),
            ("SetStatus", OPERATOR),
            ("SetStatuses", OPERATOR),
            ("List", VIEWER),
            ("ListOfJob", VIEWER),
            ("Get", VIEWER),
            ("Update", OPERATOR),
            ("Delete", OPERATOR),
            ("Retry", OPERATOR),
            ("UpdateSettings", ADMIN),
            ("Pause", OPERATOR),
            ("Resume", OPERATOR),
            ("DeleteQueue", ADMIN),
        ],
    ),
    ("orchestrator.v1.LogService", &[("List", VIEWER), ("Tail", VIEWER)]),
    ("orchestrator.v1.ConstantService", &[("List", VIEWER), ("Get", VIEWER), ("Set", ADMIN), ("Delete", ADMIN)]),
    (
        "orchestrator.v1.CredentialService",
        &[
            ("List", VIEWER),
            ("Get", VIEWER),
            ("Reveal", ADMIN),
            ("Set", ADMIN),
            ("Delete", ADMIN),
            ("GetKeys", ADMIN),
            ("Reencrypt", ADMIN),
        ],
    ),
    (
        "orchestrator.v1.AdminService",
        &[
            ("CreateToken", ADMIN),
            ("ListTokens", ADMIN),
            ("RevokeToken", ADMIN),
            ("ListAudit", ADMIN),
            ("GetStatus", VIEWER),
            ("GetJobHistory", VIEWER),
            ("SignIn", Rule::Anyone),
            ("SignOut", Rule::Oneself),
            ("WhoAmI", Rule::Authenticated),
            ("ListWorkers", VIEWER),
            ("GetWorker", VIEWER),
            ("DrainWorker", OPERATOR),
            ("ResumeWorker", OPERATOR),
            ("RemoveWorker", ADMIN),
            ("CreateUser", ADMIN),
            ("ListUsers", ADMIN),
            ("UpdateUser", ADMIN),
            ("DeleteUser", ADMIN),
            ("SetPassword", Rule::Oneself),
            ("CreateSignInLink", ADMIN),
            ("ListSessions", Rule::Oneself),
            ("EndSessions", Rule::Oneself),
        ],
    ),
    (
        "orchestrator.v1.WorkerService",
        &[
            ("Register", Rule::Worker),
            ("ClaimJobs", Rule::Worker),
            ("StartJob", Rule::Worker),
            ("Heartbeat", Rule::Worker),
            ("FinishJob", Rule::Worker),
            ("AppendOutput", Rule::Worker),
            ("Commands", Rule::Worker),
            ("SetDrain", Rule::Worker),
            ("GetDrain", Rule::Worker),
            ("Leave", Rule::Worker),
        ],
    ),
    (
        "orchestrator.v1.RobotService",
        &[
            ("GetContext", Rule::Job),
            ("Log", Rule::Job),
            ("GetConstant", Rule::Job),
            ("UpdateConstant", Rule::JobOrAdmin),
            ("GetCredential", Rule::JobOrAdmin),
            ("UpdateCredential", Rule::JobOrAdmin),
            ("CreateQueueElement", Rule::Job),
            ("BulkCreateQueueElements", Rule::Job),
            ("ClaimQueueElement", Rule::Job),
            ("ListQueueElements", Rule::Job),
            ("SetQueueElementStatus", Rule::Job),
            ("DeleteQueueElement", Rule::Job),
            ("IsPausing", Rule::Job),
            ("Pause", Rule::Job),
        ],
    ),
    ("grpc.health.v1.Health", &[("Check", Rule::Anyone), ("Watch", Rule::Anyone)]),
    ("grpc.reflection.v1.ServerReflection", &[("ServerReflectionInfo", Rule::Authenticated)]),
];

static RULES: LazyLock<HashMap<String, Rule>> = LazyLock::new(|| {
    TABLE
        .iter()
        .flat_map(|(service, methods)| methods.iter().map(move |(name, rule)| (format!("/{service}/{name}"), *rule)))
        .collect()
});

/// The rule of a method by its path, such as `/orchestrator.v1.JobService/List`.
pub fn rule(path: &str) -> Option<Rule> {
    RULES.get(path).copied()
}

/// Whether the caller may do what the rule guards.
pub fn permit(rule: Rule, caller: &Identity) -> Result<(), Status> {
    match (rule, caller) {
        (Rule::Anyone | Rule::Authenticated, _)
        | (Rule::Oneself, Identity::User(_))
        | (Rule::Worker, Identity::Worker(_))
        | (Rule::Job | Rule::JobOrAdmin, Identity::Job(_)) => Ok(()),
        (Rule::Job, Identity::User(user)) => at_least(Role::Operator, user.role),
        (Rule::JobOrAdmin, Identity::User(user)) => {
            at_least(Role::Admin, user.role).map_err(|_| not_in_development(user.role))
        }
        (Rule::User(needed), Identity::User(user)) => at_least(needed, user.role),
        (Rule::User(_) | Rule::Oneself, Identity::Worker(_) | Identity::Job(_)) => Err(wrong_caller("users", caller)),
        (Rule::Worker, Identity::User(_) | Identity::Job(_)) => Err(wrong_caller("workers", caller)),
        (Rule::Job | Rule::JobOrAdmin, Identity::Worker(_)) => Err(wrong_caller(
            "running jobs (a worker's token with the token of a job that it holds) and for users",
            caller,
        )),
    }
}

fn at_least(needed: Role, role: Role) -> Result<(), Status> {
    if role >= needed {
        return Ok(());
    }
    Err(role_too_low(needed, role))
}

/// Refuses a user whose role may not do this.
pub(crate) fn role_too_low(needed: Role, role: Role) -> Status {
    role_too_low_for(&format!("this needs the role {needed}; the caller's role is {role}"), needed, role)
}

/// Refuses a developer what the same robot may do under a worker.
fn not_in_development(role: Role) -> Status {
    let needed = Role::Admin;
    let message = format!(
        "robots may do this when a worker runs them; without a worker it needs the role {needed}, and the caller's role is \
         {role}: use an administrator's token, or run the robot on a worker"
    );
    role_too_low_for(&message, needed, role)
}

fn role_too_low_for(message: &str, needed: Role, role: Role) -> Status {
    Refusal::new(Code::PermissionDenied, reason::ROLE_TOO_LOW, message)
        .with("needed", &needed)
        .with("role", &role)
        .status()
}

fn wrong_caller(needed: &str, caller: &Identity) -> Status {
    let kind = caller.kind();
    let message = format!("this is for {needed}; the caller is a {kind}");
    Refusal::new(Code::PermissionDenied, reason::WRONG_CALLER, message).with("kind", &kind).status()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::DescriptorPool;

    use super::*;

    fn paths_of(descriptors: &[u8], package: &str) -> BTreeSet<String> {
        let pool = DescriptorPool::decode(descriptors).unwrap();
        pool.services()
            .filter(|service| service.package_name() == package)
            .flat_map(|service| {
                service
                    .methods()
                    .map(move |m| format!("/{}/{}", m.parent_service().full_name(), m.name()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn the_table_has_exactly_the_methods_that_there_are() {
        let mut there = paths_of(orchestrator_proto::DESCRIPTORS, "orchestrator.v1");
        there.extend(paths_of(tonic_health::pb::FILE_DESCRIPTOR_SET, "grpc.health.v1"));
        there.extend(paths_of(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET, "grpc.reflection.v1"));
        let listed: BTreeSet<String> = RULES.keys().cloned().collect();
        let missing: Vec<_> = there.difference(&listed).collect();
        let surplus: Vec<_> = listed.difference(&there).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, not there {surplus:?}");
    }

    #[test]
    fn no_method_is_listed_twice() {
        assert_eq!(TABLE.iter().map(|(_, methods)| methods.len()).sum::<usize>(), RULES.len());
    }

    #[test]
    fn viewers_only_read_and_secrets_tokens_and_the_audit_trail_are_for_administrators() {
        const READING: [&str; 7] = ["Get", "List", "Preview", "Read", "Watch", "Tail", "WhoAmI"];
        for (path, rule) in RULES.iter() {
            let method = path.rsplit('/').next().unwrap();
            let reads = READING.iter().any(|verb| method.starts_with(verb));
            assert!(*rule != VIEWER || reads, "{path}");
        }
        for path in [
            "/orchestrator.v1.CredentialService/Reveal",
            "/orchestrator.v1.AdminService/CreateToken",
            "/orchestrator.v1.AdminService/ListTokens",
            "/orchestrator.v1.AdminService/ListAudit",
            "/orchestrator.v1.AdminService/CreateUser",
            "/orchestrator.v1.AdminService/UpdateUser",
            "/orchestrator.v1.AdminService/DeleteUser",
            "/orchestrator.v1.AdminService/CreateSignInLink",
            "/orchestrator.v1.AdminService/RemoveWorker",
            "/orchestrator.v1.TriggerService/Create",
        ] {
            assert_eq!(rule(path), Some(ADMIN), "{path}");
        }
    }

    #[test]
    fn development_opens_no_way_around_a_role() {
        for (of_robots, of_users) in [
            ("RobotService/GetCredential", "CredentialService/Reveal"),
            ("RobotService/UpdateCredential", "CredentialService/Set"),
            ("RobotService/UpdateConstant", "ConstantService/Set"),
        ] {
            let rule_of = |path| rule(&format!("/orchestrator.v1.{path}"));
            assert_eq!((rule_of(of_robots), rule_of(of_users)), (Some(Rule::JobOrAdmin), Some(ADMIN)), "{of_robots}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_has_no_rule() {
        assert_eq!(rule("/orchestrator.v1.TriggerService/DropEverything"), None);
        assert_eq!(rule("orchestrator.v1.TriggerService/Create"), None);
    }
}

//! Every statement of this crate in one list, so that tests see those that are seldom run, too.

use crate::dialect::Sql;

/// The statements of a module and of those below it.
pub(crate) struct Statements {
    pub(crate) module: &'static str,
    pub(crate) own: &'static [(&'static str, Sql)],
    pub(crate) below: &'static [&'static Statements],
}

/// Lists the statements of a module, then the modules below it that have some: `statements![JOB_GET, ALL[0]; life]`. One
/// that is missing fails a test.
macro_rules! statements {
    ($($own:expr),* $(; $($below:ident),+)?) => {
        pub(crate) const STATEMENTS: $crate::statements::Statements = $crate::statements::Statements {
            module: module_path!(),
            own: &[$((stringify!($own), $own)),*],
            below: &[$($(&$below::STATEMENTS),+)?],
        };
    };
}
pub(crate) use statements;

const ROOTS: &[&Statements] = &[
    &crate::audit::STATEMENTS,
    &crate::browser::STATEMENTS,
    &crate::constant::STATEMENTS,
    &crate::credential::STATEMENTS,
    &crate::decision::STATEMENTS,
    &crate::figures::STATEMENTS,
    &crate::glance::STATEMENTS,
    &crate::job::STATEMENTS,
    &crate::log::STATEMENTS,
    &crate::output::STATEMENTS,
    &crate::plan::STATEMENTS,
    &crate::queue::STATEMENTS,
    &crate::retention::STATEMENTS,
    &crate::setting::STATEMENTS,
    &crate::token::STATEMENTS,
    &crate::trigger::STATEMENTS,
    &crate::user::STATEMENTS,
    &crate::writable::STATEMENTS,
    &crate::worker::STATEMENTS,
];

/// All of them, by names such as `job::life::JOB_RENEW`.
fn all() -> Vec<(String, Sql)> {
    fn add(statements: &Statements, all: &mut Vec<(String, Sql)>) {
        let module = statements.module.trim_start_matches("orchestrator_db::");
        all.extend(statements.own.iter().map(|(name, sql)| (format!("{module}::{name}"), *sql)));
        for below in statements.below {
            add(below, all);
        }
    }
    let mut found = Vec::new();
    for root in ROOTS {
        add(root, &mut found);
    }
    found
}

mod listed;
mod plans;

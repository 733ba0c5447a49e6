//! Which database a world is on.

use std::path::Path;
use std::process::{Command, Stdio};

use orchestrator_test_postgres::Cluster;

use crate::stage::Stage;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in the server's data folder.
    Sqlite,
    /// A fresh database of the PostgreSQL that the tests of a run share.
    Postgres,
    /// A PostgreSQL of the world's own, which may be stopped.
    OwnPostgres,
}

/// Where the servers of a world keep everything.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) url: String,
    cluster: Option<Cluster>,
}

impl Storage {
    pub(crate) fn prepare(database: Database, stage: &Stage) -> Self {
        match database {
            Database::Sqlite => {
                let file = stage.folder("database").join("orchestrator.db");
                Self { url: format!("sqlite://{}", file.display()), cluster: None }
            }
            Database::Postgres => Self { url: orchestrator_test_postgres::database_url(), cluster: None },
            Database::OwnPostgres => {
                let cluster = Cluster::start();
                Self { url: cluster.database_url(), cluster: Some(cluster) }
            }
        }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("the world has a PostgreSQL of its own")
    }

    /// Runs one statement behind the servers' backs.
    pub(crate) fn execute(&self, statement: &str) -> String {
        let mut command = if let Some(file) = self.url.strip_prefix("sqlite://") {
            const SCRIPT: &str = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as database:\n    \
                                      for row in database.execute(sys.argv[2]): print(*row)";
            let mut command = Command::new("python3");
            command.args(["-c", SCRIPT]).arg(Path::new(file)).arg(statement);
            command
        } else {
            let mut command = Command::new("psql");
            command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
            command.args(["--command", statement]).arg(&self.url);
            command
        };
        let output = command.stdin(Stdio::null()).output().expect("the database's client is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

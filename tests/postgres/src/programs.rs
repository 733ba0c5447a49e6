//! Where PostgreSQL's programs are, and as whom they run.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PostgreSQL refuses to run as root; Debian's package brings this user.
const USER: &str = "postgres";

#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Whom to become, when this process is root.
    pub(crate) owner: Option<(u32, u32)>,
}

impl Programs {
    pub(crate) fn find() -> Self {
        let folder = on_path().or_else(newest_installed).unwrap_or_else(|| {
            panic!("PostgreSQL's initdb is neither on PATH nor below /usr/lib/postgresql; run scripts/setup-debian")
        });
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let owner = is_root.then(|| {
            account(USER).unwrap_or_else(|| {
                panic!("root cannot run PostgreSQL and there is no user '{USER}'; run scripts/setup-debian")
            })
        });
        Self { folder, owner }
    }

    /// A command as PostgreSQL's owner, in an environment that no setting of the developer leaks into.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(
        &self,
        program: &str,
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<(), String> {
        let mut command = self.command(program);
        let output = configure(&mut command).output().map_err(|error| format!("{program}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}

/// Runs statements in a database through `psql`.
///
/// # Panics
///
/// When one of them fails.
pub fn execute(url: &str, statements: &str) {
    let arguments = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--command", statements, url];
    Programs::find().run("psql", |psql| psql.args(arguments)).unwrap_or_else(|error| panic!("{error}"));
}

/// The folder of the `initdb` on PATH; where that is a link, its siblings are beside the file it leads to.
fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let linked = std::env::split_paths(&path).map(|folder| folder.join("initdb"));
    let initdb = linked.filter_map(|path| path.canonicalize().ok()).find(|path| path.is_file())?;
    initdb.parent().map(Path::to_owned)
}

fn newest_installed() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<f32>().ok());
    std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("bin/initdb").is_file())
        .max_by(|a, b| version(a).partial_cmp(&version(b)).unwrap_or(std::cmp::Ordering::Equal))
        .map(|path| path.join("bin"))
}

/// The user and group id of an account.
fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

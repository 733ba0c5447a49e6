//! Python robots from the folder `tests/robots`, and what they run in.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::Said;
use crate::programs::target_folder;
use crate::world::World;

/// The lines of the real OpenOrchestrator package, by a version of each.
pub const OPENORCHESTRATOR: [&str; 3] = ["1.3.1", "2.0.1", "3.0.0"];

/// What the set-up script has made: environments with the real package, and uv.
#[derive(Debug, Clone)]
pub struct PythonEnvironments {
    folder: PathBuf,
}

impl PythonEnvironments {
    /// Finds them. Nextest's set-up script has made them; a plain `cargo test` makes them now.
    ///
    /// # Panics
    ///
    /// When they cannot be made.
    pub fn find() -> Self {
        if let Some(folder) = std::env::var_os("ORCHESTRATOR_TEST_PYTHON_ENVIRONMENTS") {
            return Self { folder: folder.into() };
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/setup-python-environments");
        let status = Command::new(script).env("CARGO_TARGET_DIR", target_folder()).status();
        assert!(status.is_ok_and(|status| status.success()), "the Python environments could not be made");
        Self { folder: target_folder().join("python-environments") }
    }

    /// The Python of the virtual environment with this version of the real package.
    pub fn python_with(&self, version: &str) -> PathBuf {
        self.folder.join(version).join("bin/python")
    }

    /// A `pyproject.toml` and its lock, with this version of the real package among the dependencies.
    ///
    /// # Panics
    ///
    /// When it is not there.
    pub fn project_with(&self, version: &str) -> [(&'static str, String); 2] {
        let read = |name: &'static str| {
            let path = self.folder.join("projects").join(version).join(name);
            (name, std::fs::read_to_string(path).expect("the set-up script has made it"))
        };
        [read("pyproject.toml"), read("uv.lock")]
    }

    /// What lets robots call `uv`, which finds everything in its cache.
    pub fn uv_variables(&self) -> Vec<(String, String)> {
        let python = std::fs::read_to_string(self.folder.join("python")).expect("the set-up script has written it");
        let path = std::env::var("PATH").unwrap_or_default();
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        [
            ("PATH", format!("{}:{path}", text(self.folder.join("uv/bin")))),
            ("UV_CACHE_DIR", text(self.folder.join("uv-cache"))),
            ("UV_PYTHON", python.trim().to_owned()),
            ("UV_PYTHON_DOWNLOADS", "never".to_owned()),
            ("UV_OFFLINE", "1".to_owned()),
            // The cache may be on another file system than the checkouts.
            ("UV_LINK_MODE", "copy".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// The files of a robot, by their path in its folder.
///
/// # Panics
///
/// When there is no such robot.
pub fn robot_files(name: &str) -> Vec<(String, String)> {
    fn find(folder: &Path, within: &str, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).expect("the robot is there") {
            let path = entry.expect("the robot can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let within = if within.is_empty() { name } else { format!("{within}/{name}") };
            if path.is_dir() {
                find(&path, &within, found);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                found.push((within, std::fs::read_to_string(&path).expect("the robot can be read")));
            }
        }
    }
    let mut found = Vec::new();
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("robots").join(name), "", &mut found);
    found
}

impl World {
    /// Copies a robot into the world's folder; its `main.py`.
    ///
    /// # Panics
    ///
    /// When it cannot be copied.
    pub fn copy_of_robot(&self, name: &str, into: &str) -> PathBuf {
        for (within, content) in robot_files(name) {
            let file = self.stage().path(into).join(within);
            std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("the folder is writable");
            std::fs::write(file, content).expect("the world's folder is writable");
        }
        self.stage().path(into).join("main.py")
    }

    /// Runs a Python program on a developer's machine, which has the package and no worker; it finds the server's address in
    /// `SERVER` and its own token in `TOKEN`.
    pub async fn on_a_laptop(&self, program: &str, token: &str) -> Said {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python").display().to_string();
        let url = self.server().url();
        let variables = [("PYTHONPATH", package.as_str()), ("SERVER", &url), ("TOKEN", token)];
        let program = self.stage().file("program.py", program).display().to_string();
        let python = ["-B", "-X", "utf8", &program];
        self.run_program(Path::new("python3"), &python, &variables).await
    }

    /// What a robot printed as JSON in its last line.
    ///
    /// # Panics
    ///
    /// When it printed something else.
    pub async fn said_in_json(&self, job: &str) -> anyhow::Result<Value> {
        let output = self.output(job).await?;
        let last = output.stdout.trim_end().lines().last().unwrap_or_default();
        Ok(serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {output:?}")))
    }

    /// The levels and messages of a job's log lines, oldest first.
    pub async fn levels_of(&self, job: &str) -> anyhow::Result<Vec<(String, String)>> {
        let request = crate::pb::ListLogsRequest { job: job.to_owned(), ..crate::pb::ListLogsRequest::default() };
        let lines = self.api().logs().list(request).await?.into_inner().logs;
        Ok(lines.into_iter().rev().map(|line| (line.log_level, line.log_message)).collect())
    }
}

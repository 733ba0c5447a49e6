//! Git repositories, made with the git command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::world::World;

/// A repository in the world's folder.
#[derive(Debug)]
pub struct Repository {
    folder: PathBuf,
}

impl World {
    /// A new, empty repository.
    pub fn repository(&self, name: &str) -> Repository {
        let repository = Repository { folder: self.stage().folder(format!("repositories/{name}")) };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }
}

impl Repository {
    /// Its address.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes files and commits them; returns the commit's id.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            let path = self.folder.join(name);
            let parent = path.parent().expect("a file is in a folder");
            std::fs::create_dir_all(parent).expect("the world's folder is writable");
            std::fs::write(path, content).expect("the world's folder is writable");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "A change"]);
        self.head()
    }

    /// The commit that is checked out.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Begins a branch and checks it out.
    pub fn branch(&self, name: &str) {
        self.git(&["checkout", "--quiet", "-b", name]);
    }

    /// Names the current commit.
    pub fn tag(&self, name: &str) {
        self.git(&["tag", "--annotate", "--message", "A release", name]);
    }

    /// Runs git in the repository.
    ///
    /// # Panics
    ///
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(&self.folder)
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

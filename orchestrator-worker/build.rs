//! Puts the Python packages for robots into the program: a list of its files with their content.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let clients = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../clients/python").canonicalize()?;
    let mut files = Vec::new();
    // The second is what the first robots import, and stands on the first.
    for package in ["OpenOrchestrator", "OpenOrchestratorConnection"] {
        find(&clients.join(package), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let within = file.strip_prefix(&clients)?;
        let name: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
        // Quoted as a literal: a path of Windows is full of what would be an escape.
        let content = file.to_str().ok_or("the path of the sources is not UTF-8")?;
        writeln!(list, "    ({:?}, include_bytes!({content:?})),", name.join("/"))?;
    }
    list.push_str("]\n");
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("python_package.rs"), list)?;
    Ok(())
}

/// The files of a folder and of those below it. Compiled ones depend on the Python that made them and stay out.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("__pycache__") {
                find(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "py" || extension == "typed") {
            files.push(path);
        }
    }
    Ok(())
}

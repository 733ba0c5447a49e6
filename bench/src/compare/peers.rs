//! Peers, each through a script that uses it as its own documentation says, on a database of the same cluster.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::args::Sizes;
use super::figure::Figure;
use super::scratch::Scratch;
use crate::programs;

/// A peer that is driven from Node.js.
pub(crate) fn node(peers: &Path, script: &str, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    run(&[PathBuf::from("node"), script_of(peers, script)?], sizes)
}

/// A peer that is driven from Python.
pub(crate) fn python(peers: &Path, script: &str, sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    run(&[peers.join("venv/bin/python"), script_of(peers, script)?], sizes)
}

fn script_of(peers: &Path, script: &str) -> anyhow::Result<PathBuf> {
    let path = peers.join(script);
    ensure!(path.is_file(), "{} is missing: bench/run installs the peers", path.display());
    Ok(path.canonicalize()?)
}

/// What the script prints: a figure a line.
fn run(command: &[PathBuf], sizes: &Sizes) -> anyhow::Result<Vec<Figure>> {
    let scratch = Scratch::new();
    let options = json!({
        "seconds": sizes.window.measured.as_secs_f64(),
        "scale": sizes.window.measured.as_secs_f64() / 3.0,
        "spawned": sizes.spawned,
        "payload": sizes.payload(),
    });
    let (program, script) = command.split_first().context("no program")?;
    let answer = programs::command(program)
        .args(script)
        .args([scratch.url(), &options.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} does not run: bench/run installs the peers", program.display()))?;
    ensure!(answer.status.success(), "{} failed: {}", script[0].display(), answer.status);
    let lines = String::from_utf8(answer.stdout)?;
    let figures = lines.lines().map(|line| {
        let value: Value = serde_json::from_str(line).with_context(|| format!("not a figure: {line}"))?;
        Figure::read(&value).with_context(|| format!("not a figure: {line}"))
    });
    figures.collect()
}

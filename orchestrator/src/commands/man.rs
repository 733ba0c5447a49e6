//! `man`: manual pages, made from the command line itself.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;
use serde_json::json;

use crate::app::App;
use crate::cli::Cli;
use crate::error::{CliError, Result};
use crate::output::stdout_bytes;

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page a command into this folder, such as /usr/local/share/man/man1, instead of printing the main page.
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs, app: &App) -> Result {
    let mut program = Cli::command();
    program.build();
    match &args.folder {
        None => stdout_bytes(&page(&program)?),
        Some(folder) => write_all(app, &program, folder),
    }
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    Man::new(command.clone()).title(name).render(&mut page)?;
    Ok(page)
}

fn write_all(app: &App, program: &clap::Command, folder: &Path) -> Result {
    std::fs::create_dir_all(folder).map_err(CliError::file("make the folder", folder))?;
    let mut pages = Vec::new();
    collect(program, &mut pages)?;
    for (name, page) in &pages {
        let file = folder.join(format!("{name}.1"));
        std::fs::write(&file, page).map_err(CliError::file("write", &file))?;
    }
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    let count = pages.len();
    app.printer.own(
        &json!({ "folder": folder, "pages": names }),
        || names.join("\n"),
        || format!("{count} pages are in {}. See: man {}", folder.display(), folder.join("orchestrator.1").display()),
    )
}

/// The pages of a command and of those below it, named as `man` looks for them.
fn collect(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.push((name, page(command)?));
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set());
    below.try_for_each(|below| collect(below, pages))
}

//! `docs/cli.md`, made from the command line, so that it cannot go stale.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

const INTRO: &str = include_str!("reference_intro.md");

/// Set to write the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn the_page_about_the_command_line_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/cli.md is stale: {UPDATE}=1 cargo nextest run -p orchestrator page_about_the_command_line"
    );
}

fn page() -> String {
    let mut program = Cli::command();
    program.build();
    let mut page = INTRO.to_owned();
    let global: Vec<&Arg> = program.get_arguments().filter(|arg| arg.is_global_set()).collect();
    table(&mut page, &global);
    let inherited: Vec<&str> = global.iter().map(|arg| arg.get_id().as_str()).collect();
    for noun in visible(&program) {
        write!(page, "\n## {}\n", noun.get_name()).unwrap();
        command(&mut page, noun, "orchestrator", &inherited);
    }
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set())
}

/// A command and those below it. What it inherits is told where it comes from.
fn command(page: &mut String, command_: &Command, before: &str, inherited: &[&str]) {
    let name = format!("{before} {}", command_.get_name());
    let about = command_.get_about().map(ToString::to_string).unwrap_or_default();
    let rows = rows(command_, inherited);
    let words: String = command_.get_positionals().map(word).collect();
    let has_more = visible(command_).next().is_some();
    if has_more && rows.is_empty() {
        write!(page, "\n{}\n", text(&about)).unwrap();
    } else {
        let more = if has_more { " …" } else { "" };
        write!(page, "\n### `{name}{words}{more}`\n\n{}\n", text(&about)).unwrap();
        let aliases: Vec<String> = command_.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
        if !aliases.is_empty() {
            write!(page, "\nAlso: {}.\n", aliases.join(", ")).unwrap();
        }
    }
    if !rows.is_empty() {
        page.push('\n');
        table(page, &rows);
    }
    let below: Vec<&str> = inherited.iter().copied().chain(rows.iter().map(|arg| arg.get_id().as_str())).collect();
    visible(command_).for_each(|command_| command(page, command_, &format!("{name}{words}"), &below));
}

/// What a command takes: first what stands alone, then what has a value, then switches.
fn rows<'a>(command: &'a Command, inherited: &[&str]) -> Vec<&'a Arg> {
    let own = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        id != "help" && !arg.is_hide_set() && !(arg.is_global_set() && inherited.contains(&id))
    };
    let switches = |arg: &&Arg| !arg.is_positional() && !arg.get_action().takes_values();
    let options = command.get_opts().filter(own);
    command.get_positionals().chain(options).chain(command.get_arguments().filter(own).filter(switches)).collect()
}

fn word(arg: &Arg) -> String {
    let name = value_name(arg);
    if arg.is_required_set() { format!(" {name}") } else { format!(" [{name}]") }
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string);
    if matches!(arg.get_action(), clap::ArgAction::Append) { format!("{name}…") } else { name }
}

fn table(page: &mut String, args: &[&Arg]) {
    page.push_str("| | |\n|---|---|\n");
    for arg in args {
        writeln!(page, "| `{}` | {} |", shown(arg), meaning(arg)).unwrap();
    }
}

fn shown(arg: &Arg) -> String {
    if arg.is_positional() {
        return value_name(arg);
    }
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let names = names.join(", ");
    if arg.get_action().takes_values() { format!("{names} {}", value_name(arg)) } else { names }
}

fn meaning(arg: &Arg) -> String {
    let mut meaning = text(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| arg.get_action().takes_values() && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !choices.is_empty() {
        write!(meaning, " One of {}.", choices.join(", ")).unwrap();
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        write!(meaning, " Default: `{}`.", defaults.join(" ")).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(meaning, " Environment: `{}`.", variable.to_string_lossy()).unwrap();
    }
    meaning
}

/// Help as a sentence that Markdown takes as it is.
fn text(help: &str) -> String {
    let help = help.trim().replace('|', "\\|").replace('<', "&lt;").replace('\n', " ");
    if help.is_empty() || help.ends_with(['.', '!', '?', ']', ')']) { help } else { format!("{help}.") }
}

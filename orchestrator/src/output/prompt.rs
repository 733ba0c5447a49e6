//! Questions, and passwords.

use std::io::{IsTerminal as _, Read as _};

use dialoguer::{Confirm, Input, Password};
use orchestrator_core::secret::Plaintext;
use zeroize::Zeroizing;

use crate::error::{CliError, Result};

/// Whether there is someone to answer.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a yes-or-no question; no is the default. Without a terminal the command is refused.
pub(crate) fn confirm(question: &str) -> Result {
    expect_somebody(question)?;
    let yes =
        Confirm::new().with_prompt(super::printable(question)).default(false).wait_for_newline(true).interact()?;
    if yes { Ok(()) } else { Err(CliError::Declined) }
}

/// Refuses a question that nobody is there to answer.
pub(crate) fn expect_somebody(question: &str) -> Result {
    if can_ask() { Ok(()) } else { Err(CliError::NobodyToAsk { question: super::printable(question) }) }
}

/// A password from the terminal, typed twice and not shown, or from standard input, where it is all there is except one
/// line end.
pub(crate) fn password(prompt: &str, from_stdin: bool) -> Result<Plaintext> {
    let text = if from_stdin || !can_ask() { read_stdin()? } else { ask_password(prompt)? };
    if text.is_empty() {
        return Err(CliError::Usage {
            message: "the password is empty".to_owned(),
            next: Some("type it when asked, or pipe it in with --password-stdin".to_owned()),
        });
    }
    Plaintext::password(text).map_err(CliError::Password)
}

/// The password until now, which may be none, and the new one. From standard input the first line is the old one.
pub(crate) fn old_and_new_password(name: &str, from_stdin: bool) -> Result<(Zeroizing<String>, Plaintext)> {
    if can_ask() && !from_stdin {
        let prompt = super::printable(&format!("Password of \"{name}\" until now"));
        let old = Zeroizing::new(Password::new().with_prompt(prompt).allow_empty_password(true).interact()?);
        return Ok((old, password(&format!("New password of \"{name}\""), false)?));
    }
    let both = read_stdin()?;
    let Some((old, new)) = both.split_once('\n') else {
        return Err(CliError::Usage {
            message: "the new password is missing: the first line is the password until now".to_owned(),
            next: Some("pipe in the old password, a line end, and the new one".to_owned()),
        });
    };
    let new = Plaintext::password(Zeroizing::new(new.to_owned())).map_err(CliError::Password)?;
    Ok((Zeroizing::new(without_line_end(old).to_owned()), new))
}

/// A secret that is typed once and not shown, or read from standard input. `what` completes "the … is empty".
pub(crate) fn secret(prompt: &str, what: &str, from_stdin: bool) -> Result<Zeroizing<String>> {
    let text = if from_stdin || !can_ask() {
        read_stdin()?
    } else {
        Zeroizing::new(Password::new().with_prompt(super::printable(prompt)).interact()?)
    };
    if text.trim().is_empty() {
        return Err(CliError::Usage {
            message: format!("the {what} is empty"),
            next: Some(format!("type it when asked, or pipe it in with --{what}-stdin")),
        });
    }
    Ok(text)
}

/// A name that is typed; empty where nothing is.
pub(crate) fn line(prompt: &str) -> Result<String> {
    let text: String = Input::new().with_prompt(super::printable(prompt)).allow_empty(true).interact_text()?;
    Ok(text.trim().to_owned())
}

fn ask_password(prompt: &str) -> Result<Zeroizing<String>> {
    let text = Password::new()
        .with_prompt(super::printable(prompt))
        .with_confirmation("Again", "The two are not the same; once more")
        .interact()?;
    Ok(Zeroizing::new(text))
}

fn read_stdin() -> Result<Zeroizing<String>> {
    // More than any password may have: the error can then name the length.
    let mut text = Zeroizing::new(String::with_capacity(64 << 10));
    std::io::stdin().lock().take(64 << 10).read_to_string(&mut text)?;
    let length = without_line_end(&text).len();
    text.truncate(length);
    Ok(text)
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_line_end_of_the_pipe_is_taken_off() {
        for (text, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), (" a \n", " a "), ("a\n\n", "a\n")] {
            assert_eq!(without_line_end(text), expected);
        }
    }
}

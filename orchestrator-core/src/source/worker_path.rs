//! Paths on a worker, which may run another system than the server.

use super::{SourceError, SourceProblem, URL_FIELD};

/// Refuses what names no file on any worker: a relative path, since a robot's worker has no folder that it would be relative
/// to, and the address of a repository, which needs to be said to be one.
///
/// ```
/// use orchestrator_core::source::check_worker_path;
///
/// for path in ["/srv/robots/main.py", r"C:\robots\main.py", r"\\server\share\main.py"] {
///     assert!(check_worker_path(path).is_ok());
/// }
/// assert!(check_worker_path("robots/main.py").is_err());
/// assert!(check_worker_path("https://git.example.org/robots.git").is_err());
/// ```
pub fn check_worker_path(text: &str) -> Result<(), SourceError> {
    check(text).map_err(|problem| SourceError::new(URL_FIELD, text, problem))
}

fn check(text: &str) -> Result<(), SourceProblem> {
    if is_absolute(text) {
        Ok(())
    } else if text.contains("://") || is_scp_form(text) {
        Err(SourceProblem::RepositoryAsPath)
    } else {
        Err(SourceProblem::RelativePath)
    }
}

/// On any system that a worker may run on.
fn is_absolute(text: &str) -> bool {
    text.starts_with('/') || text.starts_with(r"\\") || has_rooted_drive(text)
}

/// `C:\x` or `C:/x`; `C:x` is relative to wherever drive C stands.
fn has_rooted_drive(text: &str) -> bool {
    matches!(text.as_bytes(), [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

/// `user@host:path`.
fn is_scp_form(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, path)| {
        !path.is_empty() && host.contains('@') && !host.contains(['/', '\\']) && !host.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_absolute_on_some_system_are_taken_as_they_are() {
        for path in [
            "/srv/robots/main.py",
            "/srv/my robots/ærø.py",
            r"C:\robots\main.py",
            "d:/robots/main.py",
            r"\\server\share\robots\main.py",
            "//server/share/main.py",
            r"\\?\C:\robots\main.py",
        ] {
            assert_eq!(check_worker_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_no_worker_could_find_is_refused() {
        let relative = SourceProblem::RelativePath;
        let repository = SourceProblem::RepositoryAsPath;
        for (path, problem) in [
            ("main.py", relative),
            ("./main.py", relative),
            (r"robots\main.py", relative),
            ("C:main.py", relative),
            (r"\robots\main.py", relative),
            ("~/main.py", relative),
            ("$HOME/main.py", relative),
            (r"%USERPROFILE%\main.py", relative),
            ("https://git.example.org/robots.git", repository),
            ("ssh://git@git.example.org/robots.git", repository),
            ("file:///srv/robots.git", repository),
            ("git@git.example.org:robots.git", repository),
        ] {
            assert_eq!(check_worker_path(path).map_err(|error| error.problem), Err(problem), "{path}");
        }
    }

    #[test]
    fn the_refusal_says_what_would_work_and_no_password() {
        let error = check_worker_path("https://bob:secret@git.example.org/x.git").unwrap_err().to_string();
        assert!(error.contains("--git") && !error.contains("secret"), "{error}");
        let error = check_worker_path("main.py").unwrap_err().to_string();
        assert!(error.contains("absolute"), "{error}");
    }
}

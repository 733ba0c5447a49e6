//! One run of the program: what was said globally, and where its output goes.

use orchestrator_core::clock::{Clock as _, SystemClock, Timestamp};

use crate::cli::GlobalFlags;
use crate::connection::{Client, ConnectionFlags};
use crate::error::Result;
use crate::output::{Look, Printer};

/// What every command is given.
#[derive(Debug)]
pub(crate) struct App {
    connection: ConnectionFlags,
    yes: bool,
    /// Where results go.
    pub(crate) printer: Printer,
    /// When the command was started.
    pub(crate) now: Timestamp,
}

impl App {
    pub(crate) fn new(global: GlobalFlags) -> Self {
        let now = SystemClock.now();
        let look = Look::of_terminal(now, global.time, global.color, global.output);
        Self { connection: global.connection, yes: global.yes, printer: Printer::new(global.output, look), now }
    }

    /// Connects to the server that the flags, the environment or the context name.
    pub(crate) async fn connect(&self) -> Result<Client> {
        Client::connect(&self.connection).await
    }

    /// As [`Self::connect`], for a call whose answer comes only after a long upload.
    pub(crate) async fn connect_for_upload(&self) -> Result<Client> {
        Client::connect_for_upload(&self.connection).await
    }

    /// What was said about the server.
    pub(crate) fn connection(&self) -> &ConnectionFlags {
        &self.connection
    }

    /// Asks before something is lost. `question` names it, such as `Delete trigger "hello"?`.
    pub(crate) fn confirm(&self, question: &str) -> Result {
        if self.yes { Ok(()) } else { crate::output::confirm(question) }
    }

    /// Tells at once where nobody could be asked, before it is looked up what the question is about.
    pub(crate) fn can_confirm(&self, question: &str) -> Result {
        if self.yes { Ok(()) } else { crate::output::expect_somebody(question) }
    }

    /// Whether [`Self::confirm`] will ask.
    pub(crate) fn asks(&self) -> bool {
        !self.yes && crate::output::can_ask()
    }
}

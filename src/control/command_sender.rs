//! Who gave a command, and through which interface. The daemon's log names both for every command that
//! changed the ledger.

/// Who gave a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandSender {
    /// The user of the system; `None` where the system does not report it. Of a command from the web
    /// page, it is the user who made the link that the browser was logged in with.
    pub uid: Option<u32>,
    /// How the command came.
    pub interface: Interface,
}

/// How a command came to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// Over the daemon's socket, from the command line or another program.
    Socket,
    /// By a form of the daemon's web page.
    Page,
    /// From a command that opened the ledger itself, because no daemon runs.
    Command,
}

impl Interface {
    /// Returns the word for this interface in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Page => "page",
            Self::Command => "command",
        }
    }
}

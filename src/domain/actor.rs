//! Who gave a command that changed the ledger.

use std::fmt;

/// Who gave a command, and how it came. The first fact of the command's commit holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user of the system who gave the command. `None` where the system did not report it.
    pub uid: Option<u32>,
    /// How the command came.
    pub interface: ActorInterface,
    /// The name of the user of the system, or the name that the command gave. It is not proven.
    pub name: Option<String>,
}

/// How a command came to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorInterface {
    /// Over the daemon's socket, from the command line or another program.
    Socket,
    /// By a form of the daemon's web page.
    Page,
    /// From a command that opened the ledger itself, because no daemon runs.
    Command,
    /// By the daemon itself or `run --once`, as the configuration says.
    Daemon,
}

impl ActorInterface {
    /// Returns the word for this interface in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Page => "page",
            Self::Command => "command",
            Self::Daemon => "daemon",
        }
    }
}

/// Writes the actor for people: the name if there is one, or the number of the user.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.uid, self.interface) {
            (Some(name), ..) => f.write_str(name),
            (None, _, ActorInterface::Daemon) => f.write_str("maitred"),
            (None, Some(uid), _) => write!(f, "user {uid}"),
            (None, None, interface) => write!(f, "an unknown user ({})", interface.as_str()),
        }
    }
}

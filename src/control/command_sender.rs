//! Who gave a command, and through which interface. The daemon's log names both for every command that
//! changed the ledger.

/// The longest name of an actor that is kept, in characters.
pub const MAX_ACTOR_NAME: usize = 100;

/// Who gave a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSender {
    /// The user of the system; `None` where the system does not report it. Of a command from the web
    /// page, it is the user who made the link that the browser was logged in with.
    pub uid: Option<u32>,
    /// How the command came.
    pub interface: Interface,
    /// The name that the command gave for its actor. It is not proven. `None`: the user's own.
    pub name: Option<String>,
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

/// Returns the name of an actor without blanks around it. `None`: the text is empty, too long, or has
/// control characters.
pub fn parse_actor_name(text: &str) -> Option<String> {
    let name = text.trim();
    let is_name =
        (1..=MAX_ACTOR_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    is_name.then(|| name.to_owned())
}

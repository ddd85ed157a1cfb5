//! Where notifications go, and which. The configuration sets these values.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::kind::{Audience, NotificationKind};
use crate::domain::decision::Credits;
use crate::domain::secret_path::SecretPath;
use crate::domain::time::Span;

/// A system that receives notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyTarget {
    /// The name, which also names the file that remembers what was delivered.
    pub name: String,
    /// The kinds that the target receives.
    pub kinds: BTreeSet<NotificationKind>,
    /// How the target is reached.
    pub transport: NotifyTransport,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// How long a notification is sent again before it is dropped.
    pub give_up_after: Span,
    /// Whether notifications to operators name bookers, accounts and titles.
    pub include_people: bool,
    /// When states become notifications.
    pub terms: NotificationTerms,
}

/// When states become notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationTerms {
    /// How long a request waits for an operator before `review-waiting`.
    pub review_waiting: Span,
    /// How long passes fail before `passes-failing`.
    pub failing_after: Span,
    /// With fewer credits than these, a member's balance is low.
    pub low_balance: Credits,
    /// How long before their expiry `credits-expiring` tells of credits.
    pub credits_expiring: Span,
}

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyTransport {
    /// A program, given by its whole path, and its arguments; no shell is involved. It reads the
    /// notification as JSON from its standard input.
    Command {
        /// The whole path of the program.
        program: PathBuf,
        /// The arguments.
        args: Vec<String>,
    },
    /// A `POST` request with the notification as JSON.
    Post {
        /// The address of the request.
        url: PostUrl,
        /// Holds the key of the signature. `None`: the request is not signed.
        key_file: Option<SecretPath>,
    },
    /// A file to which the notification is appended as one line of JSON.
    File {
        /// The path of the file.
        path: PathBuf,
    },
    /// A mail: to these addresses for operators, and to the member's own address for members.
    Mail(MailSettings),
}

/// Where the URL of a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostUrl {
    /// The URL itself.
    Plain(String),
    /// The file that holds the URL, because the URL is a secret.
    InFile(SecretPath),
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// The server: `smtps://HOST` or `smtp://HOST`, with a port if it is not the usual one.
    pub server: String,
    /// The user at the server. `None`: the server asks for none.
    pub user: Option<String>,
    /// Holds the user's password.
    pub password_file: Option<SecretPath>,
    /// The address of the sender.
    pub from: String,
    /// The addresses of operators.
    pub to: Vec<String>,
}

/// What is called after each pass that listed bookings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadManSwitch {
    /// The file that holds the URL. `None`: nothing is called.
    pub url_file: Option<SecretPath>,
    /// How long the call may take.
    pub timeout: Duration,
}

impl NotifyTransport {
    /// Returns the word for this transport in output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Post { .. } => "post",
            Self::File { .. } => "file",
            Self::Mail(_) => "mail",
        }
    }
}

impl NotifyTarget {
    /// Returns true if the target receives notifications of this kind.
    pub fn wants(&self, kind: NotificationKind) -> bool {
        kind == NotificationKind::Test || self.kinds.contains(&kind)
    }

    /// Returns true if the target receives facts for the operator's own systems. These are never
    /// dropped: each is sent until it is accepted, and the later ones wait.
    pub fn receives_facts(&self) -> bool {
        self.has_audience(Audience::System)
    }

    /// Returns true if the target receives any notification for this audience.
    pub fn has_audience(&self, audience: Audience) -> bool {
        self.kinds.iter().any(|kind| kind.audience() == audience)
    }
}

//! Reads the values of a notification target: its name, its kinds, and how it is reached.

use std::collections::BTreeSet;
use std::path::PathBuf;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::ReadContext;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::secret_detection;
use super::value::is_local;
use crate::domain::id::Address;
use crate::domain::notification::kind::{Audience, NOTIFICATION_KINDS, NotificationKind};
use crate::domain::notification::target::{MailSettings, NotifyTransport, PostUrl};
use crate::domain::secret_path::SecretPath;

/// Where an operator should keep a secret that they wrote into a target.
pub(super) const SECRET_ADVICE: &str = "keep secrets out of this file: put each alone into the file that \
    `key-file`, `url-file` or `password-file` names";

pub(super) const COMMAND_EXAMPLE: &str = "[\"/usr/local/bin/notify\"]";

/// The longest name: it is part of a file's name.
const MAX_NAME: usize = 40;

/// The longest URL, user or address, in bytes.
const MAX_TEXT: usize = 2_000;

/// The most mail addresses of one target.
const MAX_ADDRESSES: usize = 20;

/// The ways to reach a target, of which one has to be given.
const TRANSPORTS: [&str; 5] = ["command", "url", "url-file", "file", "mail-server"];

/// How a target is reached, while its keys are read.
#[derive(Clone)]
pub(super) struct TransportDraft {
    pub(super) command: Option<(PathBuf, Vec<String>)>,
    pub(super) url: Option<String>,
    pub(super) url_file: Option<SecretPath>,
    pub(super) key_file: Option<SecretPath>,
    pub(super) file: Option<PathBuf>,
    pub(super) mail_server: Option<String>,
    pub(super) mail_user: Option<String>,
    pub(super) password_file: Option<SecretPath>,
    pub(super) mail_from: Option<String>,
    pub(super) mail_to: Vec<String>,
}

impl TransportDraft {
    pub(super) const BLANK: Self = Self {
        command: None,
        url: None,
        url_file: None,
        key_file: None,
        file: None,
        mail_server: None,
        mail_user: None,
        password_file: None,
        mail_from: None,
        mail_to: Vec::new(),
    };

    /// Returns the keys of a transport.
    pub(super) fn of(transport: &NotifyTransport) -> Self {
        let mut draft = Self::BLANK;
        match transport.clone() {
            NotifyTransport::Command { program, args } => draft.command = Some((program, args)),
            NotifyTransport::Post { url, key_file } => {
                match url {
                    PostUrl::Plain(url) => draft.url = Some(url),
                    PostUrl::InFile(path) => draft.url_file = Some(path),
                }
                draft.key_file = key_file;
            }
            NotifyTransport::File { path } => draft.file = Some(path),
            NotifyTransport::Mail(mail) => {
                draft.mail_server = Some(mail.server);
                draft.mail_user = mail.user;
                draft.password_file = mail.password_file;
                draft.mail_from = Some(mail.from);
                draft.mail_to = mail.to;
            }
        }
        draft
    }

    /// Returns the transport, if its keys could be read.
    pub(super) fn to_transport(&self) -> Option<NotifyTransport> {
        if let Some((program, args)) = self.command.clone() {
            return Some(NotifyTransport::Command { program, args });
        }
        if let Some(path) = self.file.clone() {
            return Some(NotifyTransport::File { path });
        }
        let url = match (self.url.clone(), self.url_file.clone()) {
            (Some(url), _) => Some(PostUrl::Plain(url)),
            (None, Some(path)) => Some(PostUrl::InFile(path)),
            (None, None) => None,
        };
        if let Some(url) = url {
            return Some(NotifyTransport::Post {
                url,
                key_file: self.key_file.clone(),
            });
        }
        Some(NotifyTransport::Mail(MailSettings {
            server: self.mail_server.clone()?,
            user: self.mail_user.clone(),
            password_file: self.password_file.clone(),
            from: self.mail_from.clone()?,
            to: self.mail_to.clone(),
        }))
    }
}

pub(super) fn read_name(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("operators", report)?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(is_plain) {
        let problem = format!("{} cannot name a target", report.show(text));
        let help = format!("give 1 to {MAX_NAME} letters, digits, `-` and `_`");
        report.error(&item.path, problem, help);
        return None;
    }
    let mut earlier = context.earlier_names.iter();
    if earlier.any(|(name, _)| name == text) {
        let problem = format!("there is another target {}", report.show(text));
        report.error(&item.path, problem, "give each target a name of its own");
    }
    Some(text.to_owned())
}

pub(super) fn read_kinds(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<BTreeSet<NotificationKind>> {
    let words = NOTIFICATION_KINDS.map(|kind| (kind.as_str(), kind));
    let items = list.list("[\"review-needed\", \"passes-failing\"]", report);
    let items = list.limit_count(items, NOTIFICATION_KINDS.len(), report);
    let kinds: BTreeSet<NotificationKind> = items
        .iter()
        .filter_map(|item| item.keyword(&words, report))
        .collect();
    if items.is_empty() {
        let problem = "the target would receive nothing".to_owned();
        report.error(&list.path, problem, "name at least one kind");
    }
    (!kinds.is_empty()).then_some(kinds)
}

pub(super) fn read_post_url(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("https://hooks.example.com/maitred", report)?;
    let (problem, help) = match Url::parse(text) {
        Err(error) => (
            format!("is not a URL ({error})"),
            "give the whole address, for example \"https://hooks.example.com/maitred\"",
        ),
        Ok(_) if secret_detection::value_looks_secret(text) => (
            "seems to hold a secret".to_owned(),
            "put the URL alone into a file, and name the file in `url-file`",
        ),
        Ok(url) if !matches!(url.scheme(), "https" | "http") => (
            "is not an address of the web".to_owned(),
            "begin with https:// (or with http:// on this machine)",
        ),
        Ok(url) if url.scheme() == "http" && !is_local(url.host_str().unwrap_or_default()) => (
            "would carry notifications over the network unencrypted".to_owned(),
            "use https; http is for this machine only",
        ),
        Ok(url) if url.fragment().is_some() => (
            "has a fragment, which no server sees".to_owned(),
            "leave out all from # on",
        ),
        Ok(_) if text.len() > MAX_TEXT => ("is too long".to_owned(), "give a shorter one"),
        Ok(_) => return Some(text.to_owned()),
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}

pub(super) fn read_mail_server(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("smtps://mail.example.com", report)?;
    let (problem, help) = match Url::parse(text) {
        Ok(_) if secret_detection::value_looks_secret(text) => (
            "seems to hold a user or a secret",
            "use `mail-user` and `password-file`",
        ),
        Ok(url)
            if matches!(url.scheme(), "smtps" | "smtp")
                && url.host_str().is_some_and(|host| !host.is_empty())
                && matches!(url.path(), "" | "/")
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            return Some(text.to_owned());
        }
        Ok(_) | Err(_) => (
            "is no address of a mail server",
            "write \"smtps://mail.example.com\", or \"smtp://mail.example.com:587\" for STARTTLS",
        ),
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}

pub(super) fn read_mail_user(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("maitred", report)?;
    if text.is_empty() || text.len() > MAX_TEXT || text.contains(char::is_control) {
        let problem = "this cannot be the name of a user".to_owned();
        report.error(
            &item.path,
            problem,
            "give the name that the mail server knows",
        );
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn read_mail_address(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("maitred@example.com", report)?;
    match Address::parse(text) {
        Ok(_) if !text.contains(['<', '>', ',', ';', '"']) => Some(text.trim().to_owned()),
        Ok(_) | Err(_) => {
            let problem = format!("{} is no mail address", report.show(text));
            let help = "write it as in \"maitred@example.com\", without a name";
            report.error(&item.path, problem, help);
            None
        }
    }
}

pub(super) fn read_mail_addresses(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<String>> {
    let items = list.list("[\"operator@example.com\"]", report);
    let items = list.limit_count(items, MAX_ADDRESSES, report);
    let addresses = items.iter().map(|item| read_mail_address(item, report));
    addresses.collect()
}

/// Checks that the target is reached in one way, and that the other keys belong to it.
pub(super) fn check_transport(
    table: &TomlTable<'_>,
    kinds: Option<&BTreeSet<NotificationKind>>,
    report: &mut DiagnosticCollector<'_>,
) {
    let given: Vec<&str> = TRANSPORTS
        .into_iter()
        .filter(|key| has(table, key))
        .collect();
    let [transport] = given[..] else {
        let problem = match given[..] {
            [] => "this target cannot be reached".to_owned(),
            _ => format!("this target has {}", given.join(" and ")),
        };
        let help = "give exactly one of command, url, url-file, file and mail-server";
        report.error(table.path(), problem, help);
        return;
    };
    check_belonging(table, transport, report);
    check_facts(table, transport, kinds, report);
    match transport {
        "url" if !has(table, "key-file") => {
            let problem = "the requests would not be signed".to_owned();
            let help = "add key-file = \"/etc/maitred/hook-key\"; the receiver needs the same key";
            report.error(table.path(), problem, help);
        }
        "mail-server" => check_mail(table, kinds, report),
        _ => {}
    }
}

/// Facts for the operator's own systems are never dropped, and each waits for the one before. A
/// target that receives them receives nothing else, so that nothing else has to wait.
fn check_facts(
    table: &TomlTable<'_>,
    transport: &str,
    kinds: Option<&BTreeSet<NotificationKind>>,
    report: &mut DiagnosticCollector<'_>,
) {
    let is_fact = |kind: &&NotificationKind| kind.audience() == Audience::System;
    let Some(kinds) = kinds else { return };
    let Some(fact) = kinds.iter().find(is_fact) else {
        return;
    };
    if let Some(other) = kinds.iter().find(|kind| !is_fact(kind)) {
        let problem = format!("{fact} is a fact for your own systems, and {other} is not");
        let help = "give these kinds a target each: facts are never dropped, and each waits for the \
                    one before";
        report.error(table.path(), problem, help);
    }
    if transport == "mail-server" {
        let problem = format!("{fact} is a fact for your own systems, and no mail");
        let help = "use a command, a url or a file; the kind decision mails members";
        report.error(table.path(), problem, help);
    }
    if let Some(item) = table.peek("give-up-after") {
        let problem = "facts are never dropped".to_owned();
        report.error(&item.path, problem, "leave `give-up-after` out");
    }
}

/// Reports keys that belong to another transport.
fn check_belonging(table: &TomlTable<'_>, transport: &str, report: &mut DiagnosticCollector<'_>) {
    let is_web = matches!(transport, "url" | "url-file");
    let is_mail = transport == "mail-server";
    let rows = [
        ("key-file", is_web, "a url"),
        ("mail-user", is_mail, "a mail-server"),
        ("password-file", is_mail, "a mail-server"),
        ("mail-from", is_mail, "a mail-server"),
        ("mail-to", is_mail, "a mail-server"),
    ];
    for (key, belongs, to) in rows {
        if let Some(item) = table.peek(key).filter(|_| !belongs) {
            let problem = format!("`{key}` belongs to {to}, and this target has a {transport}");
            report.error(&item.path, problem, "leave it out");
        }
    }
}

fn check_mail(
    table: &TomlTable<'_>,
    kinds: Option<&BTreeSet<NotificationKind>>,
    report: &mut DiagnosticCollector<'_>,
) {
    if !has(table, "mail-from") {
        let problem = "the mails have no sender".to_owned();
        report.error(
            table.path(),
            problem,
            "add mail-from = \"maitred@example.com\"",
        );
    }
    let for_operators = |kind: &NotificationKind| kind.audience() == Audience::Operator;
    if !has(table, "mail-to") && kinds.is_some_and(|kinds| kinds.iter().any(for_operators)) {
        let problem = "kinds for operators have no receiver".to_owned();
        report.error(
            table.path(),
            problem,
            "add mail-to = [\"operator@example.com\"]",
        );
    }
    if has(table, "mail-user") != has(table, "password-file") {
        let problem = "mail-user and password-file belong together".to_owned();
        report.error(table.path(), problem, "give both, or neither");
    }
}

fn has(table: &TomlTable<'_>, key: &str) -> bool {
    table.peek(key).is_some()
}

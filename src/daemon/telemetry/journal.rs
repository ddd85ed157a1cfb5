//! The journal of systemd. Entries go to the journal's socket with their fields, so that
//! `journalctl MAITRED_REQUEST=…` finds what happened to one request. Where the socket cannot be
//! used, lines on standard error carry at least their priority.
//!
//! The protocol is written here and not by `tracing-journald`, because that crate puts no values into
//! the message, which is all that `journalctl` shows, and loses entries while the journal restarts.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The variable that says where the journal's stream is.
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// The socket on which the journal takes entries with fields.
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// The name under which `journalctl --identifier` finds the entries.
const IDENTIFIER: &str = "maitred";

/// What names of fields begin with, so that no name of the journal's own is meant.
const FIELD_PREFIX: &str = "MAITRED_";

/// The field of an event that holds its text.
const MESSAGE: &str = "message";

/// Where standard error leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stderr {
    /// To the journal, over a socket.
    JournalStream,
    /// To the journal, as `JOURNAL_STREAM` says, but not over a socket.
    OtherJournal,
    /// Elsewhere.
    Other,
}

/// Returns where standard error leads. `JOURNAL_STREAM` has the device and the inode of the stream
/// that the service got.
pub(super) fn find_stderr() -> Stderr {
    let stream = std::env::var(JOURNAL_VARIABLE).ok();
    // `/proc` is the safe way to the metadata of an open descriptor.
    let stderr = std::fs::metadata("/proc/self/fd/2").ok();
    let stderr = stderr.map(|stderr| {
        let id = format!("{}:{}", stderr.dev(), stderr.ino());
        (id, stderr.file_type().is_socket())
    });
    classify(
        stream.as_deref(),
        stderr
            .as_ref()
            .map(|(id, is_socket)| (id.as_str(), *is_socket)),
    )
}

/// Compares the stream that `JOURNAL_STREAM` names with standard error: its device and inode, and
/// whether it is a socket.
fn classify(stream: Option<&str>, stderr: Option<(&str, bool)>) -> Stderr {
    match (stream, stderr) {
        (Some(stream), Some((id, true))) if stream == id => Stderr::JournalStream,
        (Some(stream), Some((id, false))) if stream == id => Stderr::OtherJournal,
        _ => Stderr::Other,
    }
}

/// Sends each event to the journal as an entry with fields.
pub(super) struct JournalLayer {
    socket: UnixDatagram,
}

impl JournalLayer {
    /// Connects to the journal.
    ///
    /// # Errors
    /// Fails when the journal has no socket, or when this process may not use it.
    pub(super) fn connect() -> io::Result<Self> {
        Self::connect_to(Path::new(JOURNAL_SOCKET))
    }

    fn connect_to(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut values = EventValues::default();
        event.record(&mut values);
        let entry = values.to_entry(level);
        if self.socket.send(&entry).is_err() {
            // The journal restarts, or the entry is too long for one message.
            let line = prefix_lines(&values.line(), priority_prefix(level));
            let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
        }
    }
}

/// The text of an event, and its values.
#[derive(Default)]
struct EventValues {
    message: String,
    /// The values as a line shows them.
    shown_values: String,
    fields: Vec<(&'static str, String)>,
}

impl EventValues {
    fn add(&mut self, name: &'static str, value: String, shown: &str) {
        if name == MESSAGE {
            self.message = value;
            return;
        }
        let _ = write!(self.shown_values, " {name}={shown}");
        self.fields.push((name, value));
    }

    /// Returns the event as one line, as it stands in a log without a journal.
    fn line(&self) -> String {
        format!("{}{}", self.message, self.shown_values)
    }

    /// Returns the entry in the native format of the journal.
    fn to_entry(&self, level: Level) -> Vec<u8> {
        let mut entry = Vec::new();
        add_field(&mut entry, "PRIORITY", priority(level));
        add_field(&mut entry, "SYSLOG_IDENTIFIER", IDENTIFIER);
        add_field(&mut entry, "MESSAGE", &self.line());
        for (name, value) in &self.fields {
            add_field(&mut entry, &field_name(name), value);
        }
        entry
    }
}

impl Visit for EventValues {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value.to_owned(), &format!("{value:?}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        self.add(field.name(), value.clone(), &value);
    }
}

/// Returns the journal's name for a field: letters, digits and underscores only.
fn field_name(name: &str) -> String {
    let to_allowed = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    FIELD_PREFIX
        .chars()
        .chain(name.chars().map(to_allowed))
        .collect()
}

/// Adds a field. Its length stands before the value, so the value may have any content.
fn add_field(entry: &mut Vec<u8>, name: &str, value: &str) {
    entry.extend_from_slice(name.as_bytes());
    entry.push(b'\n');
    entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    entry.extend_from_slice(value.as_bytes());
    entry.push(b'\n');
}

/// Formats each event as lines for standard error that leads to the journal: each line begins with
/// its priority, and has no time, because the journal adds its own.
pub(super) struct JournalLines<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for JournalLines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        let prefix = priority_prefix(*event.metadata().level());
        writer.write_str(&prefix_lines(&text, prefix))
    }
}

/// Returns the text with the priority of an error before each line.
pub(super) fn mark_as_error(text: &str) -> String {
    prefix_lines(text, priority_prefix(Level::ERROR))
}

/// Returns the priority of syslog, which `journalctl --priority` selects by.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// Returns the prefix that the journal understands on standard error, see sd-daemon(3).
fn priority_prefix(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

fn prefix_lines(text: &str, prefix: &str) -> String {
    let lines = text.lines();
    lines.map(|line| format!("{prefix}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// Reads the fields of an entry in the native format.
    fn fields_of(entry: &[u8]) -> Vec<(String, String)> {
        let mut rest = entry;
        let mut fields = Vec::new();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let name = String::from_utf8(rest[..at].to_vec()).unwrap();
            let (length, after) = rest[at + 1..].split_at(8);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (value, after) = after.split_at(length);
            fields.push((name, String::from_utf8(value.to_vec()).unwrap()));
            assert_eq!(after[0], b'\n');
            rest = &after[1..];
        }
        assert!(rest.is_empty());
        fields
    }

    /// Returns the entries that the journal gets for what `log` logs.
    fn entries(log: impl FnOnce()) -> Vec<Vec<(String, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let layer = JournalLayer::connect_to(&path).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let mut buffer = [0; 4096];
        let mut entries = Vec::new();
        while let Ok(length) = journal.recv(&mut buffer) {
            entries.push(fields_of(&buffer[..length]));
        }
        entries
    }

    fn field<'a>(entry: &'a [(String, String)], name: &str) -> Option<&'a str> {
        let found = entry.iter().find(|(field, _)| field == name)?;
        Some(&found.1)
    }

    #[test]
    fn an_entry_has_its_values_as_fields_and_in_its_message() {
        let request = "kV2s9qTtV6zB1dPz7aYw3e";
        let entries = entries(|| {
            tracing::warn!(request = %request, code = "rate-limited", calls = 3, "two\nlines");
        });
        let expect = [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "maitred"),
            (
                "MESSAGE",
                "two\nlines request=kV2s9qTtV6zB1dPz7aYw3e code=\"rate-limited\" calls=3",
            ),
            ("MAITRED_REQUEST", request),
            ("MAITRED_CODE", "rate-limited"),
            ("MAITRED_CALLS", "3"),
        ];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(entries, [expect]);
    }

    #[test]
    fn each_level_has_its_priority() {
        let entries = entries(|| {
            tracing::error!("e");
            tracing::warn!("w");
            tracing::info!("i");
            tracing::debug!("d");
            tracing::trace!("t");
        });
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (field(entry, "MESSAGE"), field(entry, "PRIORITY")))
            .collect();
        let expect = [("e", "3"), ("w", "4"), ("i", "6"), ("d", "7"), ("t", "7")];
        assert_eq!(found, expect.map(|(text, level)| (Some(text), Some(level))));
    }

    #[test]
    fn names_of_fields_are_those_that_the_journal_takes() {
        assert_eq!(field_name("request"), "MAITRED_REQUEST");
        assert_eq!(field_name("http.status"), "MAITRED_HTTP_STATUS");
    }

    #[test]
    fn only_a_socket_that_systemd_names_leads_to_the_journal() {
        let rows = [
            (Some("8:1"), Some(("8:1", true)), Stderr::JournalStream),
            (Some("8:1"), Some(("8:1", false)), Stderr::OtherJournal),
            (Some("8:1"), Some(("8:2", true)), Stderr::Other),
            (None, Some(("8:1", true)), Stderr::Other),
            (Some("8:1"), None, Stderr::Other),
        ];
        for (stream, stderr, expect) in rows {
            assert_eq!(classify(stream, stderr), expect, "{stream:?} {stderr:?}");
        }
    }

    #[test]
    fn without_the_socket_of_the_journal_there_is_no_layer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(JournalLayer::connect_to(&folder.path().join("none")).is_err());
    }

    #[test]
    fn each_line_for_standard_error_begins_with_its_priority() {
        let rows = [
            (Level::ERROR, "<3>a\n<3>b\n"),
            (Level::WARN, "<4>a\n<4>b\n"),
            (Level::INFO, "<6>a\n<6>b\n"),
            (Level::DEBUG, "<7>a\n<7>b\n"),
            (Level::TRACE, "<7>a\n<7>b\n"),
        ];
        for (level, expect) in rows {
            assert_eq!(prefix_lines("a\nb\n", priority_prefix(level)), expect);
        }
        assert_eq!(mark_as_error("no"), "<3>no\n");
    }
}

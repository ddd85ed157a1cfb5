//! What the pages say of the process: its files, its variables and its signals.

use std::path::Path;

use clap::Command;

use crate::cli::args::DEFAULT_CONFIG_PATH;
use crate::config::parse::parse;
use crate::daemon::signals;

/// A name, and what it is.
pub(super) type Term = (String, String);

/// The environment variables that no option has.
const VARIABLES: [(&str, &str); 12] = [
    (
        "MAITRED_API_KEY",
        "The key of Cal.com's API. It comes before systemd's credential `calcom-api-key` and before \
         the file that `calcom.api-key-file` names. Other users of the machine may be able to read the \
         variables of a process, so prefer one of the others.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "The directory of systemd's credentials (`LoadCredential=`). maitred reads `calcom-api-key` \
         in it.",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for HTTPS, for HTTP and for both, and hosts that need none. maitred never uses a \
         proxy for the machine that it runs on.",
    ),
    (
        "SSL_CERT_FILE",
        "A file of certificates to trust, in place of those of the system.",
    ),
    (
        "NOTIFY_SOCKET",
        "Set by systemd. The daemon reports there that it is ready, what it does, and that it ends.",
    ),
    (
        "WATCHDOG_USEC, WATCHDOG_PID",
        "Set by systemd. How often the daemon gives a sign of life, and which process must.",
    ),
    (
        "JOURNAL_STREAM",
        "Set by systemd. If standard error leads to the journal, log entries have a priority and \
         fields, and no time of their own.",
    ),
    ("COLUMNS", "The width of plain output, in characters."),
    (
        "NO_COLOR",
        "If it is set and not empty, output has no colours.",
    ),
    ("CLICOLOR", "`0` turns colours off."),
    (
        "CLICOLOR_FORCE",
        "If it is set and not `0`, output has colours although it is not a terminal.",
    ),
    ("TERM", "The kind of terminal. `dumb` turns colours off."),
];

/// The files in the directory of the ledger.
const LEDGER_FILES: [(&str, &str); 12] = [
    (
        "log/*.jsonl",
        "The log: every commit, append-only, hash-chained. It is the source of truth.",
    ),
    (
        "projection/",
        "What the log adds up to. maitred makes it again from the log if there is doubt.",
    ),
    ("clean-shutdown", "Marks a clean shutdown."),
    ("sent", "Which calls may be under way at Cal.com."),
    (
        "notify/",
        "What the targets of notifications have received.",
    ),
    ("watched", "When the watch last ran."),
    (
        "last-run",
        "How the last `maitred run --once` ended, for `maitred status` without a daemon.",
    ),
    (
        "care",
        "When the last scheduled backup was made, and when old personal data was searched for.",
    ),
    (
        "erasures",
        "Whom a restore of an older backup has to erase again, as hashes. Keep it.",
    ),
    (
        "rewrite",
        "A log that is being written again; also rewrite-ready. The next start completes or \
         removes it.",
    ),
    ("lock", "Names the process that uses the ledger."),
    (
        "control.sock",
        "The socket of the daemon (`control.socket`), which answers commands and the local API.",
    ),
];

/// Returns true for the command that runs the daemon.
pub(super) fn is_daemon(command: &Command) -> bool {
    command.get_name() == "run"
}

/// Returns the variables that no option has.
pub(super) fn variables() -> Vec<Term> {
    to_terms(&VARIABLES)
}

/// Returns the signals that the daemon handles.
pub(super) fn signals() -> Vec<Term> {
    let signals = signals::HANDLED.iter();
    signals
        .map(|(_, name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Returns the files, with the paths of the default configuration.
pub(super) fn files() -> Vec<Term> {
    let defaults = parse("", DEFAULT_CONFIG_PATH)
        .expect("the defaults are right")
        .config;
    let text_of = |path: &Path| path.display().to_string();
    let ledger = text_of(defaults.state_dir());
    let mut files = vec![
        (
            DEFAULT_CONFIG_PATH.to_owned(),
            "The configuration, see maitred-config(5).".to_owned(),
        ),
        (
            text_of(defaults.calcom.api_key_file.path()),
            "The key of Cal.com's API, and nothing else (`calcom.api-key-file`).".to_owned(),
        ),
        (
            format!("{ledger}/"),
            "The ledger (`store.path`). One process at a time uses it. Back it up with \
             `maitred backup`. It holds:"
                .to_owned(),
        ),
    ];
    let in_ledger = |(name, text): Term| (format!("{ledger}/{name}"), text);
    files.extend(to_terms(&LEDGER_FILES).into_iter().map(in_ledger));
    files
}

fn to_terms(table: &[(&str, &str)]) -> Vec<Term> {
    let rows = table.iter();
    rows.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

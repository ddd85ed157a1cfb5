//! The file that node_exporter's textfile collector reads. It is replaced as a whole by a rename, so
//! that a reader never sees a part. The file is not synced: after a loss of power the next pass
//! writes it again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::accumulation::add_former;
use crate::domain::time::{Span, Time};

/// The mode of the file: node_exporter runs as another user, and the metrics hold no personal
/// data.
const MODE: u32 = 0o644;

/// The largest former file that is read. A file with every possible series has some 60 kB.
const MAX_FORMER: u64 = 1024 * 1024;

/// How often the file is written when nothing has happened but passes that found nothing new.
const QUIET_INTERVAL: Span = Span::seconds(60);

/// What changes with every pass, also when nothing has happened: series that begin like this.
const PULSE: [&str; 9] = [
    "maitred_passes_total{outcome=\"success\"}",
    "maitred_watches_total{outcome=\"success\"}",
    "maitred_pass_duration_seconds_",
    "maitred_watch_duration_seconds_",
    "maitred_call_duration_seconds_",
    "maitred_last_success_timestamp_seconds",
    "maitred_last_watch_success_timestamp_seconds",
    "maitred_oldest_",
    "maitred_rate_limit",
];

/// The beginning of the series of calls. Those that ended as usual change with every pass too.
const CALLS: &str = "maitred_calls_total{";
const USUAL_CALL: &str = "outcome=\"ok\"";

/// Writes the file when that is due.
#[derive(Debug, Default)]
pub(super) struct TextFile {
    last: Option<WrittenText>,
}

/// The text that was written last.
#[derive(Debug)]
struct WrittenText {
    path: PathBuf,
    at: Time,
    news: String,
}

impl TextFile {
    /// Replaces the file by this text, unless only the pulse has changed within the last minute.
    ///
    /// # Errors
    /// Returns a text for people if the file cannot be written. The next call tries again.
    pub(super) fn update(&mut self, path: &Path, text: &str, now: Time) -> Result<(), String> {
        let news = without_pulse(text);
        if let Some(last) = &self.last
            && last.path == path
            && last.news == news
            && last.at <= now
            && now - last.at < QUIET_INTERVAL
        {
            return Ok(());
        }
        self.last = None;
        replace(path, text).map_err(|error| describe(path, &error))?;
        self.last = Some(WrittenText {
            path: path.to_owned(),
            at: now,
            news,
        });
        Ok(())
    }
}

/// Replaces the file by this text, with the counters of the file added.
///
/// # Errors
/// Returns a text for people if the file cannot be written.
pub(super) fn accumulate(path: &Path, text: &str) -> Result<(), String> {
    let former = match read_former(path) {
        Ok(former) => former,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            tracing::warn!(
                "{}: {error}; its counters begin at zero again",
                path.display()
            );
            String::new()
        }
    };
    replace(path, &add_former(text, &former)).map_err(|error| describe(path, &error))
}

/// Returns why the file cannot be written, as far as its folder shows it; `None` if the folder is
/// there.
pub fn folder_problem(path: &Path) -> Option<String> {
    let folder = folder_of(path);
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(_) => Some(format!("{} is not a folder", folder.display())),
        Err(error) => Some(format!("the folder {}: {error}", folder.display())),
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Returns the lines without those that change with every pass.
fn without_pulse(text: &str) -> String {
    let is_pulse = |line: &str| {
        PULSE.iter().any(|series| line.starts_with(series))
            || (line.starts_with(CALLS) && line.contains(USUAL_CALL))
    };
    let is_news = |line: &&str| !is_pulse(line);
    text.lines().filter(is_news).collect::<Vec<_>>().join("\n")
}

fn read_former(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FORMER).read_to_string(&mut text);
    read.map(|_| text)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // One that a killed process left behind.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // A link that somebody put there meanwhile is not followed.
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(MODE).open(&new)?;
    let written = file
        .write_all(text.as_bytes())
        // Whatever the umask of the process is.
        .and_then(|()| file.set_permissions(Permissions::from_mode(MODE)))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&new);
    }
    written
}

fn describe(path: &Path, error: &io::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::NotFound => "; create its folder, or change metrics.file",
        ErrorKind::PermissionDenied => {
            "; let the user of the daemon write to its folder, or change metrics.file"
        }
        _ => "",
    };
    format!(
        "the metrics cannot be written to {}: {error}{hint}",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).unwrap()
    }

    fn text(passes: u32, failed_passes: u32, calls: u32, lost_calls: u32) -> String {
        format!(
            "maitred_passes_total{{outcome=\"success\"}} {passes}\n\
             maitred_passes_total{{outcome=\"store\"}} {failed_passes}\n\
             maitred_calls_total{{endpoint=\"list\",outcome=\"ok\"}} {calls}\n\
             maitred_calls_total{{endpoint=\"list\",outcome=\"no-answer\"}} {lost_calls}\n\
             maitred_last_success_timestamp_seconds {passes}\n\
             maitred_oldest_waiting_seconds {passes}\n"
        )
    }

    #[test]
    fn news_are_written_at_once_and_the_pulse_once_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maitred.prom");
        let mut file = TextFile::default();
        // Seconds, the text, and whether it is written.
        let rows = [
            (0, text(1, 0, 1, 0), true),
            (15, text(2, 0, 2, 0), false),
            (59, text(3, 0, 3, 0), false),
            (60, text(4, 0, 4, 0), true),
            (75, text(4, 1, 4, 0), true),
            (90, text(4, 1, 5, 0), false),
            (91, text(4, 1, 5, 1), true),
            // The clock was set back.
            (80, text(4, 1, 6, 1), true),
        ];
        for (seconds, text, is_written) in rows {
            file.update(&path, &text, at(seconds)).unwrap();
            let stored = fs::read_to_string(&path).unwrap();
            assert_eq!(stored == text, is_written, "{seconds}");
        }
        let other = folder.path().join("other.prom");
        file.update(&other, &text(4, 1, 6, 1), at(81)).unwrap();
        assert!(other.is_file(), "another file is written at once");
    }

    #[test]
    fn the_file_can_be_read_by_everybody_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maitred.prom");
        fs::write(
            folder.path().join("maitred.prom.new"),
            "of a killed process",
        )
        .unwrap();
        replace(&path, "a 1\n").unwrap();
        replace(&path, "a 2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a 2\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_says_what_to_do_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/maitred.prom");
        let mut file = TextFile::default();
        let why = file.update(&path, "a 1\n", at(0)).unwrap_err();
        assert!(why.contains("missing/maitred.prom"), "{why}");
        assert!(
            why.contains("create its folder, or change metrics.file"),
            "{why}"
        );
        assert!(folder_problem(&path).is_some());
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert_eq!(folder_problem(&path), None);
        file.update(&path, "a 1\n", at(1)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a 1\n");
        // A folder in the place of the file.
        let why = file.update(folder.path(), "a 1\n", at(2)).unwrap_err();
        assert!(why.contains("the metrics cannot be written to"), "{why}");
    }

    #[test]
    fn a_single_run_adds_to_the_counters_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maitred.prom");
        let text = "# TYPE a_total counter\na_total 2\n";
        accumulate(&path, text).unwrap();
        accumulate(&path, text).unwrap();
        let stored = fs::read_to_string(&path).unwrap();
        assert_eq!(stored, "# TYPE a_total counter\na_total 4\n");
        fs::write(&path, b"\xff\xfe not text").unwrap();
        accumulate(&path, text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

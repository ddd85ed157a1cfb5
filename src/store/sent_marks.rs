//! Which calls may have been sent: a small file that is appended to right before each call, without a
//! sync. What was written survives the end of the process, because the system keeps it, and not a loss
//! of power; so the file names the boot that it was written in, and after another boot every decision
//! that is not settled counts as sent. The log says what became of a call; this file only tells a call
//! that was never made from one whose answer nobody waited for.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::durable_fs::{self, DiskError};
use super::port::StoreError;
use crate::domain::fact::Fact;
use crate::domain::id::RequestId;
use crate::domain::time::{Time, truncate_to_millis};

/// The file's name in the store's directory.
pub const NAME: &str = "sent";

/// Where Linux tells one boot of the machine from another.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A file larger than this is written again with what is still needed: some ten thousand calls.
const MAX_FILE: u64 = 1024 * 1024;

/// The ledger names members: nobody else may read it.
const FILE_MODE: u32 = 0o600;

/// The marks, in memory and in their file.
#[derive(Debug)]
pub struct SentMarks {
    path: PathBuf,
    file: File,
    file_bytes: u64,
    boot: String,
    marks: BTreeMap<RequestId, Time>,
}

impl SentMarks {
    /// Reads the marks of the requests that are not settled. Where the file is missing, damaged or of
    /// another boot, all of them count as sent now.
    ///
    /// # Errors
    /// When the file cannot be read, or cannot be written again.
    pub fn open(store: &Path, open: &[RequestId], now: Time) -> Result<Self, DiskError> {
        // Without a boot's name nothing that is read can be relied on.
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self::open_in(store, boot.trim(), open, now)
    }

    fn open_in(store: &Path, boot: &str, open: &[RequestId], now: Time) -> Result<Self, DiskError> {
        let path = store.join(NAME);
        let text = durable_fs::read_if_exists(&path)?;
        let stored_marks = text.as_deref().and_then(|text| parse(text, boot));
        let mark_of = |id: &RequestId| match &stored_marks {
            Some(marks) => marks.get(id).copied(),
            None => Some(truncate_to_millis(now)),
        };
        let marks: BTreeMap<RequestId, Time> = open
            .iter()
            .filter_map(|id| Some((id.clone(), mark_of(id)?)))
            .collect();
        let (file, file_bytes) = write(&path, boot, &marks)?;
        Ok(Self {
            path,
            file,
            file_bytes,
            boot: boot.to_owned(),
            marks,
        })
    }

    /// When a call for the request was last about to be sent.
    pub fn get(&self, request: &RequestId) -> Option<Time> {
        self.marks.get(request).copied()
    }

    /// Writes down that a call is about to be sent, or, with `None`, that it was not sent after all.
    ///
    /// # Errors
    /// When the file cannot be written; then the call must not be sent.
    pub fn put(&mut self, request: &RequestId, at: Option<Time>) -> Result<(), StoreError> {
        let line = format_line(request, at);
        let result = self.file.write_all(line.as_bytes());
        durable_fs::with_path("write", &self.path, result)?;
        self.file_bytes += line.len() as u64;
        match at {
            Some(at) => self.marks.insert(request.clone(), truncate_to_millis(at)),
            None => self.marks.remove(request),
        };
        if self.file_bytes > MAX_FILE {
            (self.file, self.file_bytes) = write(&self.path, &self.boot, &self.marks)?;
        }
        Ok(())
    }

    /// Forgets what the log now tells better.
    pub fn forget_committed(&mut self, facts: &[Fact]) {
        for fact in facts {
            if let Fact::CallRecorded { request, .. } | Fact::IntentSettled { request, .. } = fact {
                self.marks.remove(request);
            }
        }
    }
}

/// The marks as they are, for who only looks; none where the file does not tell.
///
/// # Errors
/// When the file cannot be read.
pub fn read(store: &Path) -> Result<BTreeMap<RequestId, Time>, DiskError> {
    let text = durable_fs::read_if_exists(&store.join(NAME))?;
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
    let marks = text.as_deref().and_then(|text| parse(text, boot.trim()));
    Ok(marks.unwrap_or_default())
}

fn format_line(request: &RequestId, at: Option<Time>) -> String {
    match at {
        Some(at) => format!("{} {request}\n", at.timestamp_millis()),
        None => format!("- {request}\n"),
    }
}

/// Puts a file with these marks in place of the one that was there, whole or not at all as long as
/// the machine keeps running.
fn write(
    path: &Path,
    boot: &str,
    marks: &BTreeMap<RequestId, Time>,
) -> Result<(File, u64), DiskError> {
    let mut text = format!("boot {boot}\n");
    for (request, at) in marks {
        text.push_str(&format_line(request, Some(*at)));
    }
    let temporary = path.with_extension("new");
    let write = || -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(FILE_MODE);
        // What an earlier process left behind must not stand before what is written now.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) | Ok(()) => {}
        }
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&temporary, path)?;
        Ok(file)
    };
    let file = durable_fs::with_path("write", path, write())?;
    Ok((file, text.len() as u64))
}

/// The marks of a file that is whole and of this boot.
fn parse(text: &[u8], boot: &str) -> Option<BTreeMap<RequestId, Time>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let written_boot = lines.next()?.strip_prefix("boot ")?;
    if boot.is_empty() || written_boot != boot {
        return None;
    }
    let mut marks = BTreeMap::new();
    for line in lines {
        let (at, request) = line.split_once(' ')?;
        let request = RequestId::parse(request).ok()?;
        if at == "-" {
            marks.remove(&request);
        } else {
            let at = Time::from_timestamp_millis(at.parse().ok()?)?;
            marks.insert(request, at);
        }
    }
    Some(marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    fn at(seconds: i64) -> Time {
        Time::from_timestamp(1_795_420_000 + seconds, 0).expect("in range")
    }

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).expect("a name")
    }

    fn open_marks(store: &Path, boot: &str, now: i64) -> SentMarks {
        let all = [id("a"), id("b"), id("c")];
        SentMarks::open_in(store, boot, &all, at(now)).expect("it opens")
    }

    fn all_marks(marks: &SentMarks) -> [Option<Time>; 3] {
        ["a", "b", "c"].map(|name| marks.get(&id(name)))
    }

    /// What the file is after the first process: as it was left, or as a crash of the machine or
    /// another program left it.
    #[test]
    fn only_an_intact_file_of_this_boot_is_trusted() {
        type MarkChange = fn(&Path);
        let rows: [(&str, &str, MarkChange, bool); 7] = [
            ("as it was left", "one", |_| {}, true),
            ("another boot", "two", |_| {}, false),
            ("no name of the boot", "", |_| {}, false),
            ("gone", "one", |path| fs::remove_file(path).unwrap(), false),
            ("empty", "one", |path| fs::write(path, "").unwrap(), false),
            (
                "cut",
                "one",
                |path| {
                    let text = fs::read(path).unwrap();
                    fs::write(path, &text[..text.len() - 3]).unwrap();
                },
                false,
            ),
            (
                "foreign",
                "one",
                |path| fs::write(path, "boot one\nx\n").unwrap(),
                false,
            ),
        ];
        for (what, boot, change, whole) in rows {
            let dir = tempfile::tempdir().expect("a directory");
            let mut marks = open_marks(dir.path(), "one", 0);
            assert_eq!(
                all_marks(&marks),
                [Some(at(0)); 3],
                "nothing is known at first"
            );
            for (name, mark) in [("a", Some(at(5))), ("b", None), ("c", Some(at(6)))] {
                marks.put(&id(name), mark).expect("it writes");
            }
            marks.put(&id("c"), None).expect("it writes");
            drop(marks);
            change(&dir.path().join(NAME));
            let expected = if whole {
                [Some(at(5)), None, None]
            } else {
                [Some(at(9)); 3]
            };
            assert_eq!(
                all_marks(&open_marks(dir.path(), boot, 9)),
                expected,
                "{what}"
            );
            // What counted as sent once keeps its instant from one start to the next.
            let reopened_marks = all_marks(&open_marks(dir.path(), boot, 99));
            let expected = if boot.is_empty() {
                [Some(at(99)); 3]
            } else {
                expected
            };
            assert_eq!(reopened_marks, expected, "{what}, opened again");
        }
    }

    #[test]
    fn a_large_file_is_compacted() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut marks = open_marks(dir.path(), "one", 0);
        for n in 0..40_000 {
            let at = at(0) + Span::seconds(n);
            marks.put(&id("a"), Some(at)).expect("it writes");
        }
        let length = fs::metadata(dir.path().join(NAME)).expect("there").len();
        assert!(length <= MAX_FILE, "{length}");
        drop(marks);
        let marks = open_marks(dir.path(), "one", 1);
        assert_eq!(marks.get(&id("a")), Some(at(39_999)));
    }
}

//! Records which calls may have been sent, in a small file that is appended to right before each
//! call, without a sync. What was written survives the end of the process, because the operating
//! system keeps it, but not a loss of power. So the file names the boot in which it was written,
//! and after another boot every decision that is not settled counts as sent. The log records how a
//! call ended; this file only tells a call that was never made from a call whose answer was not
//! awaited.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::durable_fs::{self, DiskError};
use super::port::StoreError;
use crate::domain::fact::{Fact, RequestFact};
use crate::domain::id::RequestId;
use crate::domain::time::{Time, truncate_to_millis};

/// The file's name in the store's directory.
pub const NAME: &str = "sent";

/// The file in which Linux identifies the current boot of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A file with more bytes than this is rewritten with the marks that are still needed: some ten
/// thousand calls.
const MAX_FILE: u64 = 1024 * 1024;

/// Only the owner may read the file, because the ledger names members.
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
    /// Reads the marks of the requests in `open`, which are not settled. If the file is missing,
    /// damaged or of another boot, all of them count as sent now.
    ///
    /// # Errors
    /// When the file cannot be read or rewritten.
    pub fn open(store: &Path, open: &[RequestId], now: Time) -> Result<Self, DiskError> {
        // Without the boot's id, nothing that is read can be relied on.
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

    /// Returns when a call for the request was last about to be sent.
    pub fn get(&self, request: &RequestId) -> Option<Time> {
        self.marks.get(request).copied()
    }

    /// Records that a call is about to be sent or, with `None`, that the call was not sent after
    /// all.
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

    /// Forgets the marks of requests about which the log now knows more.
    pub fn forget_committed(&mut self, facts: &[Fact]) {
        for fact in facts {
            if let Fact::Request(
                RequestFact::CallRecorded { request, .. }
                | RequestFact::IntentSettled { request, .. },
            ) = fact
            {
                self.marks.remove(request);
            }
        }
    }
}

/// Returns the marks without changing the file; none if the file is missing, damaged or of another
/// boot.
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

/// Replaces the file by a file with these marks, completely or not at all as long as the machine
/// keeps running.
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
        // What an earlier process left behind must not precede what is written now.
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

/// Returns the marks of a file that is intact and of this boot; otherwise `None`.
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

    /// Each row is a state of the file after the first process: as the process left it, or as a
    /// crash of the machine or another program left it.
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
            // A request that once counted as sent keeps its instant from one start to the next.
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

//! Appends notifications to a file, one line of JSON each. A line is on the disk before the next one is
//! written. The file is opened for each line, so that it may be renamed or removed at any time, as
//! log rotation does. A line that was torn by a crash or a full disk is removed before the next one:
//! its delivery was never remembered, so it is written again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The mode of the file. Facts name accounts, so no other user may read them. An operator may change
/// the mode, which stays.
const MODE: u32 = 0o600;

/// The longest torn line that is removed. A notification is much shorter.
const MAX_LINE: u64 = 256 * 1024;

/// How each line begins.
const BEGIN: &[u8] = b"{\"schema\":";

/// Appends a line, and returns when it is on the disk.
///
/// # Errors
/// Returns why it is not, as text for operators. Then the file ends as before, or with a torn line
/// that the next call removes.
pub(super) fn append(path: &Path, line: &str) -> Result<(), String> {
    try_append(path, line).map_err(|error| format!("{}: {error}", path.display()))
}

fn try_append(path: &Path, line: &str) -> io::Result<()> {
    // Opening a pipe would wait for a reader.
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (mut file, is_new) = open(path)?;
    let end = remove_torn_line(&mut file)?;
    let text = format!("{line}\n");
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // A full disk leaves half a line. If it stays, the next call removes it.
        let _ = file.set_len(end);
        return Err(error);
    }
    if is_new {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Opens the file for appending, and makes it if there is none. Returns true if it was made.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(MODE);
    match options.open(path) {
        Ok(file) => Ok((file, false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            Ok((file, true))
        }
        Err(error) => Err(error),
    }
}

/// Removes what follows the last line break, if it is the beginning of a line of ours. Returns the
/// length of the file.
fn remove_torn_line(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(0);
    }
    let begin = length.saturating_sub(MAX_LINE);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    Read::by_ref(file).take(MAX_LINE).read_to_end(&mut tail)?;
    if tail.last() == Some(&b'\n') {
        return Ok(length);
    }
    let torn = match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => &tail[at + 1..],
        None => &tail[..],
    };
    let is_ours = torn.starts_with(BEGIN) || BEGIN.starts_with(torn);
    if !is_ours || (begin > 0 && torn.len() == tail.len()) {
        return Err(io::Error::other(
            "it does not end with a line break, and its last line is none of maitred's; name \
             another file",
        ));
    }
    let end = length - torn.len() as u64;
    file.set_len(end)?;
    file.sync_all()?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_appended_and_a_torn_one_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.jsonl");
        append(&path, "{\"schema\":1,\"a\":1}").expect("a new file");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
        append(&path, "{\"schema\":1,\"b\":2}").expect("a second line");
        let whole = "{\"schema\":1,\"a\":1}\n{\"schema\":1,\"b\":2}\n";
        assert_eq!(fs::read_to_string(&path).expect("text"), whole);
        // Every place at which a write can be cut off.
        let last = "{\"schema\":1,\"c\":3}";
        for cut in 0..last.len() {
            fs::write(&path, format!("{whole}{}", &last[..cut])).expect("torn");
            append(&path, last).expect("it is repaired");
            let text = fs::read_to_string(&path).expect("text");
            assert_eq!(text, format!("{whole}{last}\n"), "cut at {cut}");
        }
        fs::write(&path, "{\"sch").expect("torn in the first line");
        append(&path, last).expect("it is repaired");
        assert_eq!(
            fs::read_to_string(&path).expect("text"),
            format!("{last}\n")
        );
    }

    #[test]
    fn a_file_that_is_renamed_is_begun_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.jsonl");
        append(&path, "{\"schema\":1}").expect("a line");
        fs::rename(&path, folder.path().join("facts.jsonl.1")).expect("rotated");
        append(&path, "{\"schema\":2}").expect("a line of the new file");
        assert_eq!(fs::read_to_string(&path).expect("text"), "{\"schema\":2}\n");
    }

    #[test]
    fn files_of_others_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes.txt");
        for text in ["my notes", "a\nb", "{\"schema\":1}\nnot ours"] {
            fs::write(&path, text).expect("it is written");
            let error = append(&path, "{\"schema\":1}").expect_err(text);
            assert!(error.contains("none of maitred's"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("text"), text);
        }
        let error = append(folder.path(), "{}").expect_err("a folder");
        assert!(error.contains("not a regular file"), "{error}");
        let error = append(&folder.path().join("no/x.jsonl"), "{}").expect_err("no folder");
        assert!(error.contains("No such file"), "{error}");
    }
}

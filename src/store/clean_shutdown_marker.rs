//! How far the fold has come, as it is written in two places: in the fold itself, with every commit,
//! and in the file `clean` beside it, only while it is closed and durable. The fold is trusted when
//! both say the same, its files are as they were left, and the log has that line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable_fs::{self, DiskError};
use super::log::line::{self, Hash};
use super::log::segment::LogPosition;

/// The form of the fold's rows. A fold of another form is rebuilt, so it may change at any time.
const FORMAT: u32 = 5;

/// The file's name in the store's directory.
pub const NAME: &str = "clean";

/// The last commit that is in the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedCommit {
    /// 0 before the first commit.
    pub seq: u64,
    /// Its line's hash; before the first commit, the first header's.
    pub hash: Hash,
    /// Where its line begins.
    pub position: LogPosition,
}

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub applied: AppliedCommit,
    /// The print of the fold's files, see `sled::print`.
    pub fingerprint: Hash,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppliedRecord<'a> {
    format: u32,
    applied: u64,
    segment: u32,
    offset: u64,
    head: &'a str,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    print: Option<&'a str>,
}

impl AppliedCommit {
    /// One line, sealed as those of the log are, so that damage is seen.
    pub fn to_line(&self) -> Vec<u8> {
        write_line(self, None)
    }

    /// Reads [`Applied::text`]; `None` when it is damaged or of another form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        parse_line(text).map(|(applied, _)| applied)
    }
}

/// Reads the marker of the store in this directory.
///
/// # Errors
/// When it is there and cannot be read; a damaged one is `None`.
pub fn read(store: &Path) -> Result<Option<Marker>, DiskError> {
    let text = durable_fs::read_if_exists(&path(store))?;
    let parsed = text.as_deref().and_then(parse_line);
    Ok(parsed.and_then(|(applied, print)| {
        print.map(|print| Marker {
            applied,
            fingerprint: print,
        })
    }))
}

/// Says that the fold is whole, durably. It must be synced before.
///
/// # Errors
/// When it could not be said; the fold will be rebuilt.
pub fn write(store: &Path, marker: &Marker) -> Result<(), DiskError> {
    durable_fs::write_atomically(
        &path(store),
        &write_line(&marker.applied, Some(marker.fingerprint)),
    )
}

/// Takes it back, durably, before the fold is touched.
///
/// # Errors
/// When it could not be taken back; the fold must then not be touched.
pub fn remove(store: &Path) -> Result<(), DiskError> {
    durable_fs::remove(&path(store))
}

fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

fn write_line(applied: &AppliedCommit, fingerprint: Option<Hash>) -> Vec<u8> {
    let fingerprint_hex = fingerprint.map(|print| print.to_string());
    let record = AppliedRecord {
        format: FORMAT,
        applied: applied.seq,
        segment: applied.position.segment,
        offset: applied.position.offset,
        head: &applied.hash.to_string(),
        print: fingerprint_hex.as_deref(),
    };
    let mut text = serde_json::to_vec(&record).expect("numbers and hashes can be written");
    assert_eq!(text.pop(), Some(b'}'), "an object ends with a brace");
    line::seal(text, Hash::NONE).0
}

fn parse_line(text: &[u8]) -> Option<(AppliedCommit, Option<Hash>)> {
    let sealed = line::unseal(text.strip_suffix(b"\n")?).ok()?;
    let mut json = sealed.body().to_vec();
    json.push(b'}');
    let record: AppliedRecord<'_> = serde_json::from_slice(&json).ok()?;
    if record.format != FORMAT {
        return None;
    }
    let applied = AppliedCommit {
        seq: record.applied,
        hash: Hash::parse(record.head.as_bytes())?,
        position: LogPosition {
            segment: record.segment,
            offset: record.offset,
        },
    };
    match record.print {
        None => Some((applied, None)),
        Some(print) => Some((applied, Some(Hash::parse(print.as_bytes())?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_commit() -> AppliedCommit {
        AppliedCommit {
            seq: 7,
            hash: Hash::of(b"a line"),
            position: LogPosition {
                segment: 2,
                offset: 1234,
            },
        }
    }

    #[test]
    fn a_marker_of_another_format_is_ignored() {
        let applied = sample_commit();
        let line = write_line(&applied, None);
        let sealed = line::unseal(line.strip_suffix(b"\n").expect("a line")).expect("whole");
        let body = String::from_utf8(sealed.body().to_vec()).expect("UTF-8");
        let format_field = format!("\"format\":{FORMAT}");
        assert!(body.contains(&format_field), "{body}");
        for (format, expected) in [(FORMAT, Some((applied, None))), (FORMAT - 1, None)] {
            let body = body.replace(&format_field, &format!("\"format\":{format}"));
            let text = line::seal(body.into_bytes(), Hash::NONE).0;
            assert_eq!(parse_line(&text), expected, "{format}");
        }
    }

    #[test]
    fn a_marker_round_trips_and_any_change_is_noticed() {
        let applied = sample_commit();
        let fingerprint = Hash::of(b"files");
        for fingerprint in [None, Some(fingerprint)] {
            let text = write_line(&applied, fingerprint);
            assert_eq!(parse_line(&text), Some((applied, fingerprint)));
            for at in 0..text.len() {
                let mut damaged = text.clone();
                damaged[at] ^= 1;
                assert_eq!(parse_line(&damaged), None, "byte {at} changed");
                assert_eq!(parse_line(&text[..at]), None, "cut at {at}");
            }
        }
    }
}

//! How far the projection has come, recorded in two places: in the projection itself, with every
//! commit, and in the file `clean-shutdown` next to it, only while the projection is closed and
//! durable. The projection is trusted if both agree, its files are unchanged since it was closed,
//! and the log has the recorded line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable_fs::{self, DiskError};
use super::log::line::{self, Hash};
use super::log::segment::LogPosition;

/// The format of the projection's rows. A projection of another format is rebuilt, so the format
/// may change at any time.
const FORMAT: u32 = 8;

/// The file's name in the store's directory.
pub const NAME: &str = "clean-shutdown";

/// The last commit that is in the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedCommit {
    /// 0 before the first commit.
    pub seq: u64,
    /// The hash of the commit's line; before the first commit, the first header's hash.
    pub hash: Hash,
    /// Where the commit's line begins.
    pub position: LogPosition,
}

/// The contents of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The last commit that the projection holds.
    pub applied: AppliedCommit,
    /// The fingerprint of the projection's files, see `sled::fingerprint`.
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
    /// Returns the written form: one line, sealed like those of the log, so that damage is
    /// detected.
    pub fn to_line(&self) -> Vec<u8> {
        write_line(self, None)
    }

    /// Reads the form that [`AppliedCommit::to_line`] writes; `None` if the text is damaged or of
    /// another format.
    pub fn parse(text: &[u8]) -> Option<Self> {
        parse_line(text).map(|(applied, _)| applied)
    }
}

/// Reads the marker of the store in this directory.
///
/// # Errors
/// When the file exists and cannot be read. A damaged marker is `None`.
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

/// Writes the marker durably, which says that the projection is complete. The projection must be
/// synced before.
///
/// # Errors
/// When the marker could not be written; the projection will be rebuilt.
pub fn write(store: &Path, marker: &Marker) -> Result<(), DiskError> {
    durable_fs::write_atomically(
        &path(store),
        &write_line(&marker.applied, Some(marker.fingerprint)),
    )
}

/// Removes the marker durably, before the projection is touched.
///
/// # Errors
/// When the marker could not be removed; the projection must then not be touched.
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

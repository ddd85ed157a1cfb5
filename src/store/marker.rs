//! How far the fold has come, as it is written in two places: in the fold itself, with every commit,
//! and in the file `clean` beside it, only while it is closed and durable. The fold is trusted when
//! both say the same, its files are as they were left, and the log has that line.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{self, DiskError};
use super::log::line::{self, Hash};
use super::log::segment::Place;

/// The form of the fold's rows. A fold of another form is rebuilt, so it may change at any time.
const FORMAT: u32 = 5;

/// The file's name in the store's directory.
pub const NAME: &str = "clean";

/// The last commit that is in the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// 0 before the first commit.
    pub seq: u64,
    /// Its line's hash; before the first commit, the first header's.
    pub hash: Hash,
    /// Where its line begins.
    pub place: Place,
}

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub applied: Applied,
    /// The print of the fold's files, see `sled::print`.
    pub print: Hash,
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

impl Applied {
    /// One line, sealed as those of the log are, so that damage is seen.
    pub fn text(&self) -> Vec<u8> {
        text(self, None)
    }

    /// Reads [`Applied::text`]; `None` when it is damaged or of another form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        parse(text).map(|(applied, _)| applied)
    }
}

/// Reads the marker of the store in this directory.
///
/// # Errors
/// When it is there and cannot be read; a damaged one is `None`.
pub fn read(store: &Path) -> Result<Option<Marker>, DiskError> {
    let text = disk::get(&path(store))?;
    let said = text.as_deref().and_then(parse);
    Ok(said.and_then(|(applied, print)| print.map(|print| Marker { applied, print })))
}

/// Says that the fold is whole, durably. It must be synced before.
///
/// # Errors
/// When it could not be said; the fold will be rebuilt.
pub fn write(store: &Path, marker: &Marker) -> Result<(), DiskError> {
    disk::put(&path(store), &text(&marker.applied, Some(marker.print)))
}

/// Takes it back, durably, before the fold is touched.
///
/// # Errors
/// When it could not be taken back; the fold must then not be touched.
pub fn remove(store: &Path) -> Result<(), DiskError> {
    disk::remove(&path(store))
}

fn path(store: &Path) -> PathBuf {
    store.join(NAME)
}

fn text(applied: &Applied, print: Option<Hash>) -> Vec<u8> {
    let print = print.map(|print| print.to_string());
    let record = AppliedRecord {
        format: FORMAT,
        applied: applied.seq,
        segment: applied.place.segment,
        offset: applied.place.offset,
        head: &applied.hash.to_string(),
        print: print.as_deref(),
    };
    let mut text = serde_json::to_vec(&record).expect("numbers and hashes can be written");
    assert_eq!(text.pop(), Some(b'}'), "an object ends with a brace");
    line::seal(text, Hash::NONE).0
}

fn parse(text: &[u8]) -> Option<(Applied, Option<Hash>)> {
    let sealed = line::unseal(text.strip_suffix(b"\n")?).ok()?;
    let mut whole = sealed.body().to_vec();
    whole.push(b'}');
    let record: AppliedRecord<'_> = serde_json::from_slice(&whole).ok()?;
    if record.format != FORMAT {
        return None;
    }
    let applied = Applied {
        seq: record.applied,
        hash: Hash::parse(record.head.as_bytes())?,
        place: Place {
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

    fn applied() -> Applied {
        Applied {
            seq: 7,
            hash: Hash::of(b"a line"),
            place: Place {
                segment: 2,
                offset: 1234,
            },
        }
    }

    #[test]
    fn what_another_form_vouches_for_is_not_trusted() {
        let applied = applied();
        let whole = text(&applied, None);
        let sealed = line::unseal(whole.strip_suffix(b"\n").expect("a line")).expect("whole");
        let body = String::from_utf8(sealed.body().to_vec()).expect("UTF-8");
        let this = format!("\"format\":{FORMAT}");
        assert!(body.contains(&this), "{body}");
        for (format, expect) in [(FORMAT, Some((applied, None))), (FORMAT - 1, None)] {
            let body = body.replace(&this, &format!("\"format\":{format}"));
            let text = line::seal(body.into_bytes(), Hash::NONE).0;
            assert_eq!(parse(&text), expect, "{format}");
        }
    }

    #[test]
    fn it_is_read_as_it_was_written_and_no_other_way() {
        let applied = applied();
        let print = Hash::of(b"files");
        for print in [None, Some(print)] {
            let text = text(&applied, print);
            assert_eq!(parse(&text), Some((applied, print)));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 1;
                assert_eq!(parse(&other), None, "byte {at} changed");
                assert_eq!(parse(&text[..at]), None, "cut at {at}");
            }
        }
    }
}

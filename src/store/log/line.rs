//! One line of the log, byte for byte.
//!
//! ```text
//! {"seq":7,"at":"2026-11-24T05:32:51Z","facts":[…],"prev":"<64>","hash":"<64>"}
//! {"log":"maitred","format":1,"segment":1,"first":1,"created":"…","prev":"<64>","hash":"<64>"}
//! ```
//!
//! `hash` is the SHA-256, in lower-case hexadecimal, of all bytes of the line before `,"hash":`;
//! `prev`, the hash of the line before, is among them. The first header's `prev` is all zeros. A
//! line is read only in exactly this form: same order, no blanks. In a shell:
//! `sed -n 2p log/00000001.jsonl | sed 's/,"hash":.*//' | tr -d '\n' | sha256sum`.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::record::stamp::Stamp;
use super::super::record::text::RecordError;
use crate::domain::ledger::Violation;
use crate::domain::time::Time;

/// The format of the log that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// The longest line, in bytes: the largest import (`MAX_FACTS` grants with long names and reasons)
/// fits, and a reader knows how much memory one line may take.
pub const MAX_LINE: usize = 128 * 1024 * 1024;

const HASH_KEY: &[u8] = b",\"hash\":\"";
const PREV_KEY: &[u8] = b",\"prev\":\"";
const HEX: usize = 64;

/// `,"hash":"` + hash + `"}`.
const SEAL: usize = HASH_KEY.len() + HEX + 2;

/// The hash of one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands for the line before the first.
    pub const NONE: Self = Self([0; 32]);

    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What a digest comes to.
    pub fn from_digest(digest: Sha256) -> Self {
        Self(digest.finalize().into())
    }

    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != HEX {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    fn hex(self) -> [u8; HEX] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; HEX];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).expect("hexadecimal is ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it is not a line of this log")]
    Form,
    #[error("its hash does not fit its text: it was altered")]
    Altered,
    #[error("it does not follow the line before it: something was taken out, put in or moved")]
    Unchained,
    #[error("it is commit {found} where commit {expected} belongs")]
    Number { expected: u64, found: u64 },
    #[error("the file ends in the middle of it, and it is not the last one of the log")]
    CutOff,
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error(
        "its hash fits, but not what it says; if a newer maitred wrote it, use that one or a newer"
    )]
    Record(#[source] RecordError),
    #[error("its hash fits, but its facts do not fit those before it")]
    Misfit(#[source] Violation),
    #[error("it belongs to format {0}, and this maitred reads up to {FORMAT}: use a newer one")]
    Newer(u32),
}

/// A line that was checked as far as it can be on its own.
#[derive(Debug)]
pub struct Sealed<'a> {
    body: &'a [u8],
    pub hash: Hash,
    pub prev: Hash,
}

/// The contents of a commit's line.
#[derive(Debug)]
pub struct Entry<'a> {
    pub seq: u64,
    pub at: Time,
    /// The list of facts, as JSON.
    pub facts: &'a [u8],
}

/// The contents of a segment's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub segment: u32,
    /// The first commit that belongs here.
    pub first: u64,
    pub created: Time,
}

/// What is read of a header before its format is known.
#[derive(Deserialize)]
struct HeaderRecord<'a> {
    log: &'a str,
    format: u32,
    segment: u32,
    first: u64,
    created: Stamp,
}

#[derive(Deserialize)]
struct FormatRecord {
    format: u32,
}

/// The line of a commit, newline included, and its hash; `None` when `at` cannot be written.
pub fn commit(seq: u64, at: Time, facts: &[u8], prev: Hash) -> Option<(Vec<u8>, Hash)> {
    let at = Stamp(at).text()?;
    let mut line = Vec::with_capacity(facts.len() + 256);
    line.extend_from_slice(format!("{{\"seq\":{seq},\"at\":\"{at}\",\"facts\":").as_bytes());
    line.extend_from_slice(facts);
    Some(seal(line, prev))
}

/// The first line of a segment, newline included, and its hash; `None` as above.
pub fn header(header: &Header, prev: Hash) -> Option<(Vec<u8>, Hash)> {
    let Header { segment, first, .. } = header;
    let created = Stamp(header.created).text()?;
    let line = format!(
        "{{\"log\":\"maitred\",\"format\":{FORMAT},\"segment\":{segment},\"first\":{first},\
         \"created\":\"{created}\""
    );
    Some(seal(line.into_bytes(), prev))
}

/// Ends a line that so far lacks `prev` and `hash`.
pub fn seal(mut line: Vec<u8>, prev: Hash) -> (Vec<u8>, Hash) {
    line.extend_from_slice(PREV_KEY);
    line.extend_from_slice(&prev.hex());
    line.push(b'"');
    let hash = Hash::of(&line);
    line.extend_from_slice(HASH_KEY);
    line.extend_from_slice(&hash.hex());
    line.extend_from_slice(b"\"}\n");
    (line, hash)
}

/// Checks a line (without its newline) against its own hash.
pub fn unseal(line: &[u8]) -> Result<Sealed<'_>, Fault> {
    let split = line.len().checked_sub(SEAL).ok_or(Fault::Form)?;
    let (body, seal) = line.split_at(split);
    let hex = seal
        .strip_prefix(HASH_KEY)
        .and_then(|rest| rest.strip_suffix(b"\"}"));
    let hash = hex.and_then(Hash::parse).ok_or(Fault::Form)?;
    if Hash::of(body) != hash {
        return Err(Fault::Altered);
    }
    let (body, prev) = split_prev(body).ok_or(Fault::Form)?;
    Ok(Sealed { body, hash, prev })
}

/// Reads a header that was unsealed.
pub fn read_header(sealed: &Sealed<'_>) -> Result<Header, Fault> {
    let mut whole = sealed.body.to_vec();
    whole.push(b'}');
    let format: FormatRecord = serde_json::from_slice(&whole).map_err(|_| Fault::Form)?;
    if format.format > FORMAT {
        return Err(Fault::Newer(format.format));
    }
    let record: HeaderRecord<'_> = serde_json::from_slice(&whole).map_err(|_| Fault::Form)?;
    if record.log != "maitred" || record.format != FORMAT {
        return Err(Fault::Form);
    }
    Ok(Header {
        segment: record.segment,
        first: record.first,
        created: record.created.0,
    })
}

impl<'a> Sealed<'a> {
    /// Reads a commit's line that was unsealed.
    pub fn entry(&self) -> Result<Entry<'a>, Fault> {
        let entry = || {
            let rest = self.body.strip_prefix(b"{\"seq\":")?;
            let comma = rest.iter().position(|b| *b == b',')?;
            let seq = std::str::from_utf8(&rest[..comma]).ok()?.parse().ok()?;
            let rest = rest[comma..].strip_prefix(b",\"at\":\"")?;
            let quote = rest.iter().position(|b| *b == b'"')?;
            let at = Stamp::parse(std::str::from_utf8(&rest[..quote]).ok()?)?.0;
            let facts = rest[quote..].strip_prefix(b"\",\"facts\":")?;
            Some(Entry { seq, at, facts })
        };
        entry().ok_or(Fault::Form)
    }

    /// What stands before `prev`.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// The number of a commit's line without checking the rest: to skip lines on the way to another.
pub fn peek_seq(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let comma = rest.iter().take(21).position(|b| *b == b',')?;
    std::str::from_utf8(&rest[..comma]).ok()?.parse().ok()
}

fn split_prev(body: &[u8]) -> Option<(&[u8], Hash)> {
    let split = body.len().checked_sub(PREV_KEY.len() + HEX + 1)?;
    let (body, rest) = body.split_at(split);
    let hex = rest.strip_prefix(PREV_KEY)?.strip_suffix(b"\"")?;
    Some((body, Hash::parse(hex)?))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

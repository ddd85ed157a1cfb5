//! One line of the log, byte for byte.
//!
//! ```text
//! {"format":4,"seq":7,"at":"2026-11-24T05:32:51Z","ledger":"<id>","calendar":"main","epoch":0,
//!  "facts":[…],"prev":"<64>","hash":"<64>"}
//! {"log":"maitred","format":4,"ledger":"<id>","segment":1,"first":1,"created":"…","prev":"<64>",
//!  "hash":"<64>"}
//! ```
//!
//! Each is one line, without blanks between its fields. A commit's line itself names the ledger
//! that it belongs to, so that another store can hold the line unchanged. `calendar` names the
//! Cal.com account that the commit is about, and `epoch` is raised when another machine takes the
//! ledger over; on one machine it is 0. Lines of formats 2 and 3 have the same form, and fewer
//! kinds of facts. Logs of format 1 had none of `ledger`, `calendar` and `epoch`:
//!
//! ```text
//! {"seq":7,"at":"2026-11-24T05:32:51Z","facts":[…],"prev":"<64>","hash":"<64>"}
//! {"log":"maitred","format":1,"segment":1,"first":1,"created":"…","prev":"<64>","hash":"<64>"}
//! ```
//!
//! Logs of older formats stay readable: the lines of a segment have the format of its header, and
//! the first commit that this version writes begins a new segment.
//!
//! The header of a log that was rewritten to remove personal data has the field `replaces`, with the
//! last commit of the log before and the hash that it had.
//!
//! `hash` is the SHA-256, in lower-case hexadecimal, of all bytes of the line before `,"hash":`;
//! `prev`, the hash of the line before, is among them. The first header's `prev` is all zeros. A
//! line is read only in exactly this form: same order, no blanks. A shell command that computes a
//! line's hash: `sed -n 2p log/00000001.jsonl | sed 's/,"hash":.*//' | tr -d '\n' | sha256sum`.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::codec::text::RecordError;
use super::super::codec::timestamp::Timestamp;
use crate::domain::ledger::Violation;
use crate::domain::time::Time;

/// The format of the log that is written, and the newest that is read.
pub const FORMAT: u32 = 4;

/// The oldest format that is read.
pub const OLDEST_FORMAT: u32 = 1;

/// The first format whose lines name the ledger that they belong to.
const FIRST_WITH_LEDGER: u32 = 2;

/// The name of the calendar in a configuration with a single calendar.
pub const ONLY_CALENDAR: &str = "main";

/// The epoch of a ledger that only one machine has ever had.
pub const FIRST_EPOCH: u64 = 0;

/// The longest line, in bytes. The largest import (`MAX_FACTS` grants with long names and reasons)
/// fits, and a reader knows how much memory one line may take.
pub const MAX_LINE: usize = 128 * 1024 * 1024;

/// The beginning of a commit's line from format 2 on.
const FORMAT_KEY: &str = "{\"format\":";

const HASH_KEY: &[u8] = b",\"hash\":\"";
const PREV_KEY: &[u8] = b",\"prev\":\"";
const HEX_LENGTH: usize = 64;

/// `,"hash":"` + hash + `"}`.
const SEAL_LENGTH: usize = HASH_KEY.len() + HEX_LENGTH + 2;

/// The hash of one line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash that takes the place of the line before the first line.
    pub const NONE: Self = Self([0; 32]);

    /// Computes the hash of these bytes (SHA-256).
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the hash that the digest computes.
    pub fn from_digest(digest: Sha256) -> Self {
        Self(digest.finalize().into())
    }

    /// Parses 64 hexadecimal digits; `None` for anything else.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        if hex.len() != HEX_LENGTH {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = parse_hex_digit(pair[0])? << 4 | parse_hex_digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Returns the bytes of the hash.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    fn to_hex(self) -> [u8; HEX_LENGTH] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; HEX_LENGTH];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_hex()).expect("hexadecimal is ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The unique id of a ledger. The id is created with the ledger and is part of every line, so that
/// lines of two ledgers are never confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerId(Uuid);

impl LedgerId {
    /// Returns a new id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns the id of a log that was started in format 1. The id is derived from the log's first
    /// line, so that every copy of the log gets the same id.
    pub fn from_first_line(hash: Hash) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.0[..16]);
        Self(Uuid::new_v8(bytes))
    }

    /// The id of a ledger that exists only in memory.
    pub const NONE: Self = Self(Uuid::nil());

    /// Reads the form that [`fmt::Display`] writes, and no other.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        (id.as_hyphenated().to_string() == text).then_some(Self(id))
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0.as_hyphenated(), f)
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineFault {
    /// The line does not have the form of a line.
    #[error("this is not a line of this log")]
    Malformed,
    /// The line's hash is not that of its text.
    #[error("its hash does not match its text: the line was altered")]
    HashMismatch,
    /// The line names another hash than that of the line before.
    #[error("it does not follow the line before it: a line was removed, inserted or moved")]
    ChainBroken,
    /// The commit does not have the next number.
    #[error("it is commit {found} at the place of commit {expected}")]
    WrongNumber {
        /// The number that belongs here.
        expected: u64,
        /// The number that the line has.
        found: u64,
    },
    /// The file ends within the line, although the log continues in another file.
    #[error("the file ends in the middle of the line, and is not the last file of the log")]
    Truncated,
    /// The line is longer than a line may be.
    #[error("it is longer than {MAX_LINE} bytes")]
    TooLong,
    /// The line is intact, and its contents are not a record of this version.
    #[error(
        "its hash matches, but its content cannot be read; if a newer maitred wrote it, use that \
         version or a newer one"
    )]
    InvalidRecord(#[source] RecordError),
    /// The line is intact, and its facts contradict earlier facts.
    #[error("its hash matches, but its facts contradict those before it")]
    Violation(#[source] Violation),
    /// The line has a newer format; the payload is its number.
    #[error("it belongs to format {0}, and this maitred reads up to {FORMAT}: use a newer one")]
    NewerFormat(u32),
    /// The line belongs to another ledger than the lines before.
    #[error("it belongs to ledger {found}, and the lines before it to ledger {expected}")]
    OtherLedger {
        /// The ledger of the lines before.
        expected: LedgerId,
        /// The ledger that the line names.
        found: LedgerId,
    },
}

/// A line that was checked against its own hash, but not against other lines.
#[derive(Debug)]
pub struct SealedLine<'a> {
    body: &'a [u8],
    /// The hash of the line.
    pub hash: Hash,
    /// The hash that the line names as that of the line before.
    pub prev: Hash,
}

/// The contents of a commit's line.
#[derive(Debug)]
pub struct LogEntry<'a> {
    /// The format that the line has.
    pub format: u32,
    /// The commit's number.
    pub seq: u64,
    /// When the commit was made.
    pub at: Time,
    /// The ledger that the line names; format 1 names none.
    pub ledger: Option<LedgerId>,
    /// The list of facts, as JSON.
    pub facts: &'a [u8],
}

/// The contents of a segment's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The format of the segment's lines. This version writes only [`FORMAT`].
    pub format: u32,
    /// The ledger; `None` for a segment of format 1.
    pub ledger: Option<LedgerId>,
    /// The segment's number, from 1.
    pub segment: u32,
    /// The first commit that belongs here.
    pub first: u64,
    /// When the segment was created.
    pub created: Time,
    /// The end of the log that this log was rewritten from, to remove personal data. Only a log's
    /// first segment names it.
    pub replaces: Option<ReplacedLog>,
}

/// The last commit of a log that was replaced by a rewritten one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedLog {
    /// The number of the commit; 0 before the first.
    pub seq: u64,
    /// The hash that the line of the commit had.
    pub hash: Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplacedRecord<'a> {
    seq: u64,
    hash: &'a str,
}

/// The fields of a header of any supported format.
#[derive(Deserialize)]
struct HeaderRecord<'a> {
    log: &'a str,
    format: u32,
    ledger: Option<&'a str>,
    segment: u32,
    first: u64,
    created: Timestamp,
    #[serde(default, borrow)]
    replaces: Option<ReplacedRecord<'a>>,
}

#[derive(Deserialize)]
struct FormatRecord {
    format: u32,
}

/// Returns the line of a commit, including the newline, and its hash; `None` if `at` cannot be
/// written.
pub fn format_commit(
    ledger: LedgerId,
    (seq, at): (u64, Time),
    facts: &[u8],
    prev: Hash,
) -> Option<(Vec<u8>, Hash)> {
    let at = Timestamp(at).to_text()?;
    let beginning = format!(
        "{FORMAT_KEY}{FORMAT},\"seq\":{seq},\"at\":\"{at}\",\"ledger\":\"{ledger}\",\
         \"calendar\":\"{ONLY_CALENDAR}\",\"epoch\":{FIRST_EPOCH},\"facts\":"
    );
    let mut line = Vec::with_capacity(beginning.len() + facts.len() + 256);
    line.extend_from_slice(beginning.as_bytes());
    line.extend_from_slice(facts);
    Some(seal(line, prev))
}

/// Returns the first line of a segment, including the newline, and its hash; `None` if its instant
/// cannot be written or it names no ledger.
pub fn format_header(header: &SegmentHeader, prev: Hash) -> Option<(Vec<u8>, Hash)> {
    let SegmentHeader { segment, first, .. } = header;
    let created = Timestamp(header.created).to_text()?;
    let ledger = header.ledger?;
    let mut line = format!(
        "{{\"log\":\"maitred\",\"format\":{FORMAT},\"ledger\":\"{ledger}\",\"segment\":{segment},\
         \"first\":{first},\"created\":\"{created}\""
    );
    if let Some(ReplacedLog { seq, hash }) = header.replaces {
        line.push_str(&format!(
            ",\"replaces\":{{\"seq\":{seq},\"hash\":\"{hash}\"}}"
        ));
    }
    Some(seal(line.into_bytes(), prev))
}

/// Completes a line that lacks `prev` and `hash`; returns the line and its hash.
pub fn seal(mut line: Vec<u8>, prev: Hash) -> (Vec<u8>, Hash) {
    line.extend_from_slice(PREV_KEY);
    line.extend_from_slice(&prev.to_hex());
    line.push(b'"');
    let hash = Hash::of(&line);
    line.extend_from_slice(HASH_KEY);
    line.extend_from_slice(&hash.to_hex());
    line.extend_from_slice(b"\"}\n");
    (line, hash)
}

/// Checks a line (without its newline) against its own hash.
pub fn unseal(line: &[u8]) -> Result<SealedLine<'_>, LineFault> {
    let split = line
        .len()
        .checked_sub(SEAL_LENGTH)
        .ok_or(LineFault::Malformed)?;
    let (body, seal) = line.split_at(split);
    let hex = seal
        .strip_prefix(HASH_KEY)
        .and_then(|rest| rest.strip_suffix(b"\"}"));
    let hash = hex.and_then(Hash::parse).ok_or(LineFault::Malformed)?;
    if Hash::of(body) != hash {
        return Err(LineFault::HashMismatch);
    }
    let (body, prev) = split_prev(body).ok_or(LineFault::Malformed)?;
    Ok(SealedLine { body, hash, prev })
}

/// Reads a header from an unsealed line.
pub fn read_header(sealed: &SealedLine<'_>) -> Result<SegmentHeader, LineFault> {
    let mut json = sealed.body.to_vec();
    json.push(b'}');
    let format: FormatRecord = serde_json::from_slice(&json).map_err(|_| LineFault::Malformed)?;
    if format.format > FORMAT {
        return Err(LineFault::NewerFormat(format.format));
    }
    let record: HeaderRecord<'_> =
        serde_json::from_slice(&json).map_err(|_| LineFault::Malformed)?;
    let ledger = match (record.format, record.ledger) {
        (OLDEST_FORMAT, None) => None,
        (FIRST_WITH_LEDGER..=FORMAT, Some(ledger)) => {
            Some(LedgerId::parse(ledger).ok_or(LineFault::Malformed)?)
        }
        _ => return Err(LineFault::Malformed),
    };
    if record.log != "maitred" || (record.replaces.is_some() && record.segment != 1) {
        return Err(LineFault::Malformed);
    }
    let replaces = match record.replaces {
        None => None,
        Some(replaced) => Some(ReplacedLog {
            seq: replaced.seq,
            hash: Hash::parse(replaced.hash.as_bytes()).ok_or(LineFault::Malformed)?,
        }),
    };
    Ok(SegmentHeader {
        format: record.format,
        ledger,
        segment: record.segment,
        first: record.first,
        created: record.created.0,
        replaces,
    })
}

impl<'a> SealedLine<'a> {
    /// Reads the contents of a commit from an unsealed line.
    pub fn parse_entry(&self) -> Result<LogEntry<'a>, LineFault> {
        let fields = LineFields(self.body);
        let entry = if self.body.starts_with(FORMAT_KEY.as_bytes()) {
            fields.parse_with_format()?
        } else {
            fields.parse_format_1()
        };
        entry.ok_or(LineFault::Malformed)
    }

    /// Returns the part of the line before `prev`.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// The unread rest of a line, whose fields have a fixed order.
struct LineFields<'a>(&'a [u8]);

impl<'a> LineFields<'a> {
    fn skip(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text.as_bytes())?;
        Some(())
    }

    fn take_until(&mut self, end: u8) -> Option<&'a str> {
        let at = self.0.iter().position(|byte| *byte == end)?;
        let (text, rest) = self.0.split_at(at);
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn take_number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.take_until(b',')?.parse().ok()
    }

    fn parse_format_1(mut self) -> Option<LogEntry<'a>> {
        self.skip("{\"seq\":")?;
        let seq = self.take_number()?;
        self.skip(",\"at\":\"")?;
        let at = Timestamp::parse(self.take_until(b'"')?)?.0;
        self.skip("\",\"facts\":")?;
        Some(LogEntry {
            format: OLDEST_FORMAT,
            seq,
            at,
            ledger: None,
            facts: self.0,
        })
    }

    /// Returns `Ok(None)` if the line does not have this form.
    fn parse_with_format(mut self) -> Result<Option<LogEntry<'a>>, LineFault> {
        let format = self.skip(FORMAT_KEY).and_then(|()| self.take_number());
        match format {
            Some(format @ FIRST_WITH_LEDGER..=FORMAT) => Ok(self.parse_rest(format)),
            Some(newer) if newer > FORMAT => Err(LineFault::NewerFormat(newer)),
            Some(_) | None => Ok(None),
        }
    }

    fn parse_rest(mut self, format: u32) -> Option<LogEntry<'a>> {
        self.skip(",\"seq\":")?;
        let seq = self.take_number()?;
        self.skip(",\"at\":\"")?;
        let at = Timestamp::parse(self.take_until(b'"')?)?.0;
        self.skip("\",\"ledger\":\"")?;
        let ledger = LedgerId::parse(self.take_until(b'"')?)?;
        self.skip("\",\"calendar\":\"")?;
        let calendar = self.take_until(b'"')?;
        self.skip("\",\"epoch\":")?;
        let epoch: u64 = self.take_number()?;
        self.skip(",\"facts\":")?;
        // Several calendars and machines are not supported yet, so a line that names others is
        // refused.
        let is_supported = calendar == ONLY_CALENDAR && epoch == FIRST_EPOCH;
        is_supported.then_some(LogEntry {
            format,
            seq,
            at,
            ledger: Some(ledger),
            facts: self.0,
        })
    }
}

/// Returns the number of a commit's line without checking the rest, to skip lines on the way to
/// another.
pub fn peek_seq(line: &[u8]) -> Option<u64> {
    let mut fields = LineFields(line);
    if fields.skip(FORMAT_KEY).is_some() {
        fields.take_number::<u32>()?;
        fields.skip(",\"seq\":")?;
    } else {
        fields.skip("{\"seq\":")?;
    }
    fields.take_number()
}

fn split_prev(body: &[u8]) -> Option<(&[u8], Hash)> {
    let split = body.len().checked_sub(PREV_KEY.len() + HEX_LENGTH + 1)?;
    let (body, rest) = body.split_at(split);
    let hex = rest.strip_prefix(PREV_KEY)?.strip_suffix(b"\"")?;
    Some((body, Hash::parse(hex)?))
}

fn parse_hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

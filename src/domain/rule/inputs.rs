//! What an expression looked at, kept so that it can be shown later. Taking it costs a few bytes;
//! words are made of it only when somebody asks.

use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use chrono::DateTime;

use super::field::{self, Field};
use super::scope::Scope;
use super::value::{Seq, Value};
use crate::domain::time::Span;

/// The longest text of one value that is kept, in bytes.
const MAX_VALUE: usize = 60;

/// Elements of a list that are kept.
const MAX_ELEMENTS: usize = 4;

/// What is kept of one expression at most, in bytes.
const MAX_KEPT: usize = 1_024;

/// The longest text that is shown, in characters: it stands in a line of the log.
pub const MAX_SHOWN: usize = 400;

/// Something that an expression names.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) field: Field,
    /// Keys behind the name, for maps.
    pub(super) keys: Vec<Box<str>>,
    pub(super) shown: String,
}

impl Path {
    pub(super) fn with(mut self, key: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.chars().all(plain) {
            self.shown.push('.');
            self.shown.push_str(key);
        } else {
            let _ = write!(self.shown, "[{key:?}]");
        }
        self.keys.push(key.into());
        self
    }

    fn read<'a>(&self, scope: &Scope<'a>) -> Option<Value<'a>> {
        let mut value = field::read(self.field, scope);
        for key in &self.keys {
            let Value::Table(table) = value else {
                return None;
            };
            value = table.get(key)?;
        }
        Some(value)
    }
}

/// What an expression looked at. Equal when shown the same.
#[derive(Clone)]
pub struct Inputs {
    paths: Arc<[Path]>,
    /// Up to the end of this expression's part.
    kept: Box<[u8]>,
    /// Where its part begins.
    from: usize,
}

impl Inputs {
    pub(super) fn of(paths: &Arc<[Path]>, kept: &[u8], part: Range<usize>) -> Self {
        Self {
            paths: Arc::clone(paths),
            kept: kept[..part.end].into(),
            from: part.start,
        }
    }
}

/// Room in which is written down what the rules looked at, for one request after the other. What
/// several of them look at is written once.
pub struct Kept {
    bytes: Vec<u8>,
    /// For each field where its value stands, counted from 1; 0 where it does not yet.
    places: [u16; Field::COUNT],
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            places: [0; Field::COUNT],
        }
    }
}

impl Kept {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places = [0; Field::COUNT];
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A text in place of values.
    pub fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes down what the paths lead to in this scope.
    pub(super) fn capture(&mut self, paths: &[Path], scope: &Scope<'_>) {
        let from = self.bytes.len();
        for path in paths {
            if path.keys.is_empty() {
                self.field(path.field, scope);
            } else {
                match path.read(scope) {
                    Some(value) => keep(value, &mut self.bytes, false),
                    None => self.bytes.push(Tag::Absent as u8),
                }
            }
            if self.bytes.len() - from > MAX_KEPT {
                break;
            }
        }
    }

    fn field(&mut self, field: Field, scope: &Scope<'_>) {
        let place = &mut self.places[field as usize];
        if let Some(there) = place.checked_sub(1) {
            let [low, high] = there.to_le_bytes();
            self.bytes.extend_from_slice(&[Tag::Above as u8, low, high]);
            return;
        }
        *place = u16::try_from(self.bytes.len() + 1).unwrap_or_default();
        keep(field::read(field, scope), &mut self.bytes, false);
    }
}

/// What a kept value is; its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Absent,
    Null,
    No,
    Yes,
    Int,
    Double,
    Text,
    CutText,
    Duration,
    Time,
    List,
    Map,
    /// It stands further up, at the place that follows.
    Above,
}

impl Tag {
    const ALL: [Self; 13] = [
        Self::Absent,
        Self::Null,
        Self::No,
        Self::Yes,
        Self::Int,
        Self::Double,
        Self::Text,
        Self::CutText,
        Self::Duration,
        Self::Time,
        Self::List,
        Self::Map,
        Self::Above,
    ];
}

fn keep(value: Value<'_>, kept: &mut Vec<u8>, within: bool) {
    match value {
        Value::Null => kept.push(Tag::Null as u8),
        Value::Bool(false) => kept.push(Tag::No as u8),
        Value::Bool(true) => kept.push(Tag::Yes as u8),
        Value::Int(of) => number(Tag::Int, of.to_le_bytes(), kept),
        Value::Double(of) => number(Tag::Double, of.to_le_bytes(), kept),
        Value::Duration(of) => number(Tag::Duration, of.num_milliseconds().to_le_bytes(), kept),
        Value::Time(of) => number(Tag::Time, of.timestamp().to_le_bytes(), kept),
        Value::Text(of) => text(of, kept),
        Value::Table(of) => number(Tag::Map, length(of.len()), kept),
        Value::Seq(of) => list(of, kept, within),
    }
}

fn number(tag: Tag, bytes: [u8; 8], kept: &mut Vec<u8>) {
    let mut all = [tag as u8; 9];
    all[1..].copy_from_slice(&bytes);
    kept.extend_from_slice(&all);
}

fn length(of: usize) -> [u8; 8] {
    i64::try_from(of).unwrap_or(i64::MAX).to_le_bytes()
}

fn text(of: &str, kept: &mut Vec<u8>) {
    let whole = |end: &usize| of.is_char_boundary(*end);
    let end = (0..=of.len().min(MAX_VALUE)).rev().find(whole).unwrap_or(0);
    let tag = if end < of.len() {
        Tag::CutText
    } else {
        Tag::Text
    };
    kept.extend_from_slice(&[tag as u8, u8::try_from(end).unwrap_or(u8::MAX)]);
    kept.extend_from_slice(&of.as_bytes()[..end]);
}

/// The length and the first elements; of a list in a list only the length.
fn list(of: Seq<'_>, kept: &mut Vec<u8>, within: bool) {
    number(Tag::List, length(of.len()), kept);
    let shown = if within {
        0
    } else {
        of.len().min(MAX_ELEMENTS)
    };
    kept.push(u8::try_from(shown).unwrap_or(u8::MAX));
    for element in of.iter().take(shown) {
        keep(element, kept, true);
    }
}

/// Reads back what was kept.
struct Reader<'a> {
    rest: &'a [u8],
    /// What may stand above.
    all: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn eight(&mut self) -> [u8; 8] {
        self.take(8).try_into().unwrap_or_default()
    }

    fn int(&mut self) -> i64 {
        i64::from_le_bytes(self.eight())
    }

    fn text(&mut self) -> std::borrow::Cow<'a, str> {
        let length = self.byte().into();
        String::from_utf8_lossy(self.take(length))
    }

    fn show(&mut self, out: &mut String) -> fmt::Result {
        let tag = usize::from(self.byte());
        match Tag::ALL.get(tag).copied().unwrap_or(Tag::Absent) {
            Tag::Absent => out.write_str("absent"),
            Tag::Null => out.write_str("null"),
            Tag::No => out.write_str("false"),
            Tag::Yes => out.write_str("true"),
            Tag::Int => write!(out, "{}", self.int()),
            Tag::Double => write!(out, "{}", f64::from_le_bytes(self.eight())),
            Tag::Text => write!(out, "{:?}", self.text()),
            Tag::CutText => write!(out, "{:?}…", self.text()),
            Tag::Duration => out.write_str(&compact(Span::milliseconds(self.int()))),
            Tag::Time => match DateTime::from_timestamp(self.int(), 0) {
                Some(at) => write!(out, "{}", at.format("%Y-%m-%dT%H:%M:%SZ")),
                None => out.write_str("absent"),
            },
            Tag::Map => write!(out, "{{{} entries}}", self.int()),
            Tag::Above => self.show_above(out),
            Tag::List => self.show_list(out),
        }
    }

    /// What stands above never stands further above.
    fn show_above(&mut self, out: &mut String) -> fmt::Result {
        let place = u16::from_le_bytes(self.take(2).try_into().unwrap_or_default());
        let rest = self.all.get(usize::from(place)..).unwrap_or_default();
        Reader { rest, all: &[] }.show(out)
    }

    fn show_list(&mut self, out: &mut String) -> fmt::Result {
        let length = self.int();
        let shown = i64::from(self.byte());
        out.push('[');
        for n in 0..shown {
            if n > 0 {
                out.push_str(", ");
            }
            self.show(out)?;
        }
        if length > shown {
            let comma = if shown > 0 { ", " } else { "" };
            write!(out, "{comma}{} more", length - shown)?;
        }
        out.push(']');
        Ok(())
    }
}

/// `30h`, `1h30m`, `-45m`, `20s`, `1.5s`, `0s`.
pub(super) fn compact(span: Span) -> String {
    let all = span.num_milliseconds();
    let millis = all.unsigned_abs();
    let mut shown = if all < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    let parts = [
        (millis / 3_600_000, 'h'),
        (millis / 60_000 % 60, 'm'),
        (millis / 1_000 % 60, 's'),
    ];
    for (amount, unit) in parts {
        if amount > 0 && (unit != 's' || millis.is_multiple_of(1_000)) {
            let _ = write!(shown, "{amount}{unit}");
        }
    }
    if !millis.is_multiple_of(1_000) {
        let _ = write!(shown, "{}.{:03}s", millis / 1_000 % 60, millis % 1_000);
    } else if millis == 0 {
        shown.push_str("0s");
    }
    shown
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        let mut reader = Reader {
            rest: &self.kept[self.from..],
            all: &self.kept,
        };
        for path in self.paths.iter() {
            if !out.is_empty() {
                out.push_str(", ");
            }
            if reader.rest.is_empty() {
                out.push('…');
                break;
            }
            write!(out, "{} = ", path.shown)?;
            reader.show(&mut out)?;
        }
        match out.char_indices().nth(MAX_SHOWN) {
            None => f.write_str(&out),
            Some(_) => {
                let kept = out
                    .char_indices()
                    .nth(MAX_SHOWN - 1)
                    .map_or(0, |(at, _)| at);
                write!(f, "{}…", &out[..kept])
            }
        }
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inputs({self})")
    }
}

impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.paths, &other.paths) && self.kept == other.kept;
        same || self.to_string() == other.to_string()
    }
}

impl Eq for Inputs {}

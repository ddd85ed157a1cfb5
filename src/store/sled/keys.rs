//! The trees of the projection and the form of their keys. Names keep their own order as bytes;
//! instants and numbers are big-endian, so that keys have the order of the values that they encode.

use std::ops::Range;

use chrono::{DateTime, NaiveDate};

use super::super::log::segment::LogPosition;
use super::super::port::HistorySubject;
use crate::domain::credit_flows::QuarterHour;
use crate::domain::time::{Span, Time, truncate_to_millis};

/// One tree. Each variant names its key and, after the colon, its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// Account's name: account.
    Accounts,
    /// Alias: account's name.
    Aliases,
    /// Reference: grant or revocation.
    GrantRecords,
    /// Request's name: request.
    Requests,
    /// Booking's uid: charge.
    Charges,
    /// Instant: the names of the requests that were decided then.
    DecidedRequests,
    /// Instant of decision and request's name, of intents that are not settled: no value.
    OpenIntents,
    /// Instant of the end and request's name, of requests that are only noted: no value.
    NotedRequests,
    /// Booker's address, instant of creation and request's name: no value.
    RequestsByBooker,
    /// Booking's uid, of charges that can still change: no value.
    LiveCharges,
    /// Account's name, instant of the start and booking's uid, of charges that still count: no
    /// value.
    CountedCharges,
    /// Booking's uid, if it is not its request's name: that name.
    JoinedBookings,
    /// Subject and first number: older commit numbers of the subject.
    HistoryPages,
    /// Commit's number: where its line begins. Not every commit has a row.
    CommitPositions,
    /// Tree, key and number: the rest of a value that is too long for one row.
    ValueChunks,
    /// `applied`: the last commit that is in the projection; `ledger`: what the ledger knows about
    /// itself.
    Meta,
    /// Booking's uid: its items of the unresolved list. New trees are declared last, because the
    /// keys of chunks hold a tree's index in this declaration.
    Unresolved,
    /// Instant at which an item leaves the list, uid and code, of open items: no value.
    OpenUnresolved,
    /// Instant of decision and request's name, of requests that were declined: no value.
    DeclinedRequests,
    /// Instant of creation and request's name, of requests with a wrong PIN: no value.
    WrongPins,
    /// Day in UTC, as `2026-11-30`: what happened on that day, in numbers.
    DailyTotals,
    /// Quarter of an hour since 1970, as a big-endian number: what happened to the credits of all
    /// accounts in it.
    CreditFlows,
}

/// Every tree, in the order of the declaration.
pub const TREES: [Tree; 22] = [
    Tree::Accounts,
    Tree::Aliases,
    Tree::GrantRecords,
    Tree::Requests,
    Tree::Charges,
    Tree::DecidedRequests,
    Tree::OpenIntents,
    Tree::NotedRequests,
    Tree::RequestsByBooker,
    Tree::LiveCharges,
    Tree::CountedCharges,
    Tree::JoinedBookings,
    Tree::HistoryPages,
    Tree::CommitPositions,
    Tree::ValueChunks,
    Tree::Meta,
    Tree::Unresolved,
    Tree::OpenUnresolved,
    Tree::DeclinedRequests,
    Tree::WrongPins,
    Tree::DailyTotals,
    Tree::CreditFlows,
];

/// The key of the row in `Meta` that names the last commit.
pub const APPLIED: &[u8] = b"applied";

/// The key of the row in `Meta` that holds what the ledger knows about itself.
pub const LEDGER: &[u8] = b"ledger";

impl Tree {
    /// Returns the name of the tree in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Aliases => "aliases",
            Self::GrantRecords => "given",
            Self::Requests => "requests",
            Self::Charges => "charges",
            Self::DecidedRequests => "decided",
            Self::OpenIntents => "open",
            Self::NotedRequests => "noted",
            Self::RequestsByBooker => "asked",
            Self::LiveCharges => "live",
            Self::CountedCharges => "standing",
            Self::JoinedBookings => "joined",
            Self::HistoryPages => "pieces",
            Self::CommitPositions => "marks",
            Self::DeclinedRequests => "declined",
            Self::WrongPins => "wrong-pins",
            Self::DailyTotals => "days",
            Self::CreditFlows => "flows",
            Self::ValueChunks => "parts",
            Self::Meta => "meta",
            Self::Unresolved => "unresolved",
            Self::OpenUnresolved => "listed",
        }
    }

    /// Returns true if the tree is read when facts are applied. Only values of such trees may take
    /// more than one row.
    pub fn is_read_on_apply(self) -> bool {
        match self {
            Self::Accounts
            | Self::Aliases
            | Self::GrantRecords
            | Self::Requests
            | Self::Charges
            | Self::DecidedRequests
            | Self::Unresolved
            | Self::DailyTotals
            | Self::CreditFlows => true,
            Self::OpenIntents
            | Self::NotedRequests
            | Self::RequestsByBooker
            | Self::LiveCharges
            | Self::CountedCharges
            | Self::JoinedBookings
            | Self::HistoryPages
            | Self::CommitPositions
            | Self::DeclinedRequests
            | Self::WrongPins
            | Self::ValueChunks
            | Self::Meta
            | Self::OpenUnresolved => false,
        }
    }

    /// Returns the tree's index in [`TREES`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Encodes an instant in milliseconds.
pub fn encode_time(at: Time) -> [u8; 8] {
    // With the sign bit flipped, negative numbers sort before positive numbers.
    (at.timestamp_millis() ^ i64::MIN).to_be_bytes()
}

/// Decodes the instant that a key begins with.
pub fn decode_time(key: &[u8]) -> Option<Time> {
    let millis = i64::from_be_bytes(key.get(..8)?.try_into().ok()?) ^ i64::MIN;
    DateTime::from_timestamp_millis(millis)
}

/// Encodes a day. Years have four digits, so that keys have the order of the days.
pub fn encode_day(day: NaiveDate) -> Vec<u8> {
    day.to_string().into_bytes()
}

/// Encodes a quarter of an hour as a key.
pub fn encode_quarter(quarter: QuarterHour) -> [u8; 4] {
    quarter.0.to_be_bytes()
}

/// Decodes a quarter of an hour. `None`: the key is none.
pub fn decode_quarter(key: &[u8]) -> Option<QuarterHour> {
    Some(QuarterHour(u32::from_be_bytes(key.try_into().ok()?)))
}

/// Decodes a day. `None`: the key is no day.
pub fn decode_day(key: &[u8]) -> Option<NaiveDate> {
    std::str::from_utf8(key).ok()?.parse().ok()
}

/// Returns the key of an entry that is sorted by an instant.
pub fn time_key(at: Time, name: &str) -> Vec<u8> {
    [&encode_time(at)[..], name.as_bytes()].concat()
}

/// Returns the range of such keys from one instant until before another.
pub fn time_key_range(from: Time, to: Time) -> Range<Vec<u8>> {
    time_key(round_up_to_millis(from), "")..time_key(round_up_to_millis(to), "")
}

/// Returns the name in such a key; empty if it is not such a key.
pub fn time_key_name(key: &[u8]) -> &[u8] {
    key.get(8..).unwrap_or_default()
}

/// Returns the key of an entry that is sorted by an owner and an instant. Names hold no zero byte,
/// so that no key of one owner begins with the prefix of another owner.
pub fn owner_key(owner: &str, at: Time, name: &str) -> Vec<u8> {
    [owner.as_bytes(), &[0], &encode_time(at), name.as_bytes()].concat()
}

/// Returns the name in such a key; empty if it is not such a key.
pub fn owner_key_name(key: &[u8]) -> &[u8] {
    let zero = key.iter().position(|byte| *byte == 0);
    zero.map(|zero| time_key_name(&key[zero + 1..]))
        .unwrap_or_default()
}

/// Returns the range of an owner's keys from one instant until before another.
pub fn owner_key_range(owner: &str, from: Time, to: Time) -> Range<Vec<u8>> {
    owner_key(owner, round_up_to_millis(from), "")..owner_key(owner, round_up_to_millis(to), "")
}

/// Returns the range of an owner's keys from an instant on.
pub fn owner_key_range_since(owner: &str, since: Time) -> Range<Vec<u8>> {
    let end = [owner.as_bytes(), &[1]].concat();
    owner_key(owner, round_up_to_millis(since), "")..end
}

/// Returns the first instant from this one on that has whole milliseconds, as the instants in keys
/// do.
fn round_up_to_millis(at: Time) -> Time {
    let truncated = truncate_to_millis(at);
    let next = truncated.checked_add_signed(Span::milliseconds(1));
    if truncated == at {
        at
    } else {
        next.unwrap_or(at)
    }
}

/// Returns the prefix of the keys of a subject's history pages. Names hold no zero byte, so that no
/// key of one subject begins with the prefix of another subject.
pub fn history_page_prefix(subject: &HistorySubject) -> Vec<u8> {
    let (kind, name) = match subject {
        HistorySubject::Account(id) => (b'a', id.as_str()),
        HistorySubject::Booking(uid) => (b'b', uid.as_str()),
        HistorySubject::Request(id) => (b'r', id.as_str()),
    };
    let mut key = vec![kind];
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

/// Returns the key of the subject's history page that begins with the commit number `first`.
pub fn history_page_key(subject: &HistorySubject, first: u64) -> Vec<u8> {
    let mut key = history_page_prefix(subject);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// Returns the key of a chunk of a long value.
pub fn chunk_key(tree: Tree, key: &[u8], number: u16) -> Vec<u8> {
    let index = u8::try_from(tree.index()).expect("there are few trees");
    let mut chunk = vec![index];
    chunk.extend_from_slice(key);
    chunk.push(0);
    chunk.extend_from_slice(&number.to_be_bytes());
    chunk
}

/// Encodes a position in the log as a value.
pub fn encode_position(place: LogPosition) -> Vec<u8> {
    let mut value = place.segment.to_be_bytes().to_vec();
    value.extend_from_slice(&place.offset.to_be_bytes());
    value
}

/// Decodes a position in the log.
pub fn decode_position(value: &[u8]) -> Option<LogPosition> {
    Some(LogPosition {
        segment: u32::from_be_bytes(value.get(..4)?.try_into().ok()?),
        offset: u64::from_be_bytes(value.get(4..)?.try_into().ok()?),
    })
}

/// Encodes commit numbers as a value.
pub fn encode_numbers(seqs: &[u64]) -> Vec<u8> {
    seqs.iter().flat_map(|seq| seq.to_be_bytes()).collect()
}

/// Decodes commit numbers.
pub fn decode_numbers(value: &[u8]) -> Option<Vec<u64>> {
    let (numbers, rest) = value.as_chunks::<8>();
    let numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
    rest.is_empty().then(|| numbers.collect())
}

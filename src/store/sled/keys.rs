//! The trees of the fold and the form of their keys. Names keep their own order as bytes; instants
//! and numbers are big-endian, so that the order of keys is the order of what they stand for.

use std::ops::Range;

use chrono::DateTime;

use super::super::log::segment::Place;
use super::super::port::Subject;
use crate::domain::time::{Span, Time, kept};

/// One tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// Account's name: account.
    Accounts,
    /// Alias: account's name.
    Aliases,
    /// Reference: grant or revocation.
    Given,
    /// Request's name: request.
    Requests,
    /// Booking's uid: charge.
    Charges,
    /// Instant: the names of the requests decided then.
    Decided,
    /// Instant of decision and request's name, of intents that are not finished: nothing.
    Open,
    /// Instant of the end and request's name, of requests that are only noted: nothing.
    Noted,
    /// Booker's address, instant of creation and request's name: nothing.
    Asked,
    /// Booking's uid, of charges that can still change: nothing.
    Live,
    /// Account's name, instant of the start and booking's uid, of charges that stand for something:
    /// nothing.
    Standing,
    /// Booking's uid, where it is not its request's name: that name.
    Joined,
    /// Subject and first number: older commit numbers of the subject.
    Pieces,
    /// Commit's number: where its line begins. Not every commit has one.
    Marks,
    /// Tree, key and number: the rest of a value that is too long for one row.
    Parts,
    /// `applied`: the last commit that is in the fold.
    Meta,
    /// Booking's uid: its items of the unresolved list. New trees are declared last: parts are named
    /// by the tree's place here.
    Unresolved,
    /// Instant at which an item leaves the list, uid and code, of open items: nothing.
    Listed,
    /// Instant of decision and request's name, of requests that were declined: nothing.
    Declined,
    /// Instant of creation and request's name, of requests with a wrong PIN: nothing.
    WrongPins,
}

/// Every tree, in the order of the declaration.
pub const TREES: [Tree; 20] = [
    Tree::Accounts,
    Tree::Aliases,
    Tree::Given,
    Tree::Requests,
    Tree::Charges,
    Tree::Decided,
    Tree::Open,
    Tree::Noted,
    Tree::Asked,
    Tree::Live,
    Tree::Standing,
    Tree::Joined,
    Tree::Pieces,
    Tree::Marks,
    Tree::Parts,
    Tree::Meta,
    Tree::Unresolved,
    Tree::Listed,
    Tree::Declined,
    Tree::WrongPins,
];

/// The key of the row in `Meta` that names the last commit.
pub const APPLIED: &[u8] = b"applied";

/// The key of the row in `Meta` that holds what the ledger knows of itself.
pub const LEDGER: &[u8] = b"ledger";

impl Tree {
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Aliases => "aliases",
            Self::Given => "given",
            Self::Requests => "requests",
            Self::Charges => "charges",
            Self::Decided => "decided",
            Self::Open => "open",
            Self::Noted => "noted",
            Self::Asked => "asked",
            Self::Live => "live",
            Self::Standing => "standing",
            Self::Joined => "joined",
            Self::Pieces => "pieces",
            Self::Marks => "marks",
            Self::Declined => "declined",
            Self::WrongPins => "wrong-pins",
            Self::Parts => "parts",
            Self::Meta => "meta",
            Self::Unresolved => "unresolved",
            Self::Listed => "listed",
        }
    }

    /// Whether it is read when facts are applied. Only values of these may take more than one row.
    pub fn is_applied_to(self) -> bool {
        match self {
            Self::Accounts
            | Self::Aliases
            | Self::Given
            | Self::Requests
            | Self::Charges
            | Self::Decided
            | Self::Unresolved => true,
            Self::Open
            | Self::Noted
            | Self::Asked
            | Self::Live
            | Self::Standing
            | Self::Joined
            | Self::Pieces
            | Self::Marks
            | Self::Declined
            | Self::WrongPins
            | Self::Parts
            | Self::Meta
            | Self::Listed => false,
        }
    }

    /// Its place in [`TREES`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// An instant, in milliseconds.
pub fn time(at: Time) -> [u8; 8] {
    // With the sign bit turned over, negative numbers sort before positive ones.
    (at.timestamp_millis() ^ i64::MIN).to_be_bytes()
}

/// The instant that a key begins with.
pub fn read_time(key: &[u8]) -> Option<Time> {
    let millis = i64::from_be_bytes(key.get(..8)?.try_into().ok()?) ^ i64::MIN;
    DateTime::from_timestamp_millis(millis)
}

/// What goes by an instant.
pub fn timed(at: Time, name: &str) -> Vec<u8> {
    [&time(at)[..], name.as_bytes()].concat()
}

/// The span of such keys from one instant until before another.
pub fn timed_between(from: Time, to: Time) -> Range<Vec<u8>> {
    timed(whole(from), "")..timed(whole(to), "")
}

/// The name in such a key; empty when it is not one.
pub fn timed_name(key: &[u8]) -> &[u8] {
    key.get(8..).unwrap_or_default()
}

/// What goes by an owner and an instant. Names hold no zero byte, so that one owner's keys never
/// begin with another's.
pub fn owned(owner: &str, at: Time, name: &str) -> Vec<u8> {
    [owner.as_bytes(), &[0], &time(at), name.as_bytes()].concat()
}

/// The name in such a key; empty when it is not one.
pub fn owned_name(key: &[u8]) -> &[u8] {
    let zero = key.iter().position(|byte| *byte == 0);
    zero.map(|zero| timed_name(&key[zero + 1..]))
        .unwrap_or_default()
}

/// The span of an owner's keys from one instant until before another.
pub fn owned_between(owner: &str, from: Time, to: Time) -> Range<Vec<u8>> {
    owned(owner, whole(from), "")..owned(owner, whole(to), "")
}

/// The span of an owner's keys from an instant on.
pub fn owned_since(owner: &str, since: Time) -> Range<Vec<u8>> {
    let end = [owner.as_bytes(), &[1]].concat();
    owned(owner, whole(since), "")..end
}

/// The first instant from this one on that is kept: keys are in milliseconds.
fn whole(at: Time) -> Time {
    let cut = kept(at);
    let next = cut.checked_add_signed(Span::milliseconds(1));
    if cut == at { at } else { next.unwrap_or(at) }
}

/// What the keys of a subject's pieces begin with. Names hold no zero byte, so that one subject's
/// keys never begin with another's.
pub fn pieces(subject: &Subject) -> Vec<u8> {
    let (kind, name) = match subject {
        Subject::Account(id) => (b'a', id.as_str()),
        Subject::Booking(uid) => (b'b', uid.as_str()),
        Subject::Request(id) => (b'r', id.as_str()),
    };
    let mut key = vec![kind];
    key.extend_from_slice(name.as_bytes());
    key.push(0);
    key
}

/// One piece of a subject.
pub fn piece(subject: &Subject, first: u64) -> Vec<u8> {
    let mut key = pieces(subject);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// A further part of a long value.
pub fn part(tree: Tree, key: &[u8], number: u16) -> Vec<u8> {
    let index = u8::try_from(tree.index()).expect("there are few trees");
    let mut part = vec![index];
    part.extend_from_slice(key);
    part.push(0);
    part.extend_from_slice(&number.to_be_bytes());
    part
}

/// A place in the log as a value.
pub fn place(place: Place) -> Vec<u8> {
    let mut value = place.segment.to_be_bytes().to_vec();
    value.extend_from_slice(&place.offset.to_be_bytes());
    value
}

/// Reads a place in the log.
pub fn read_place(value: &[u8]) -> Option<Place> {
    Some(Place {
        segment: u32::from_be_bytes(value.get(..4)?.try_into().ok()?),
        offset: u64::from_be_bytes(value.get(4..)?.try_into().ok()?),
    })
}

/// Commit numbers as a value.
pub fn numbers(seqs: &[u64]) -> Vec<u8> {
    seqs.iter().flat_map(|seq| seq.to_be_bytes()).collect()
}

/// Reads commit numbers.
pub fn read_numbers(value: &[u8]) -> Option<Vec<u64>> {
    let (numbers, rest) = value.as_chunks::<8>();
    let numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
    rest.is_empty().then(|| numbers.collect())
}

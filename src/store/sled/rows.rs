//! Changes as rows of the trees: the one place that knows which index follows from which record.

use super::super::changes::{
    Changes, ChargeChange, ChargePlaces, RequestChange, RequestPlaces, UnresolvedChange,
};
use super::keys::{self, Tree};
use super::values;
use crate::domain::id::Address;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedRank;

/// One row as it is to be; `None`: not there.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub tree: Tree,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Row {
    pub fn put(tree: Tree, key: impl Into<Vec<u8>>, value: Vec<u8>) -> Self {
        Self {
            tree,
            key: key.into(),
            value: Some(value),
        }
    }

    fn remove(tree: Tree, key: impl Into<Vec<u8>>) -> Self {
        Self {
            tree,
            key: key.into(),
            value: None,
        }
    }
}

/// The rows of all changes, made one after the other; what they were made from is freed on the way.
/// In each tree the keys go up: sled takes them three times as fast.
pub fn rows(mut changes: Changes) -> impl Iterator<Item = Row> {
    changes
        .accounts
        .sort_unstable_by(|a, b| a.record.id.cmp(&b.record.id));
    changes.aliases.sort_unstable();
    changes
        .given
        .sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
    changes.requests.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    changes
        .charges
        .sort_unstable_by(|a, b| a.uid().cmp(b.uid()));
    changes.decided.sort_unstable();
    changes
        .unresolved
        .sort_unstable_by(|a, b| a.booking.cmp(&b.booking));
    // What one request lets go of, another may take.
    let left = changes.requests.iter().flat_map(|change| &change.left);
    let left = left.map(|uid| Row::remove(Tree::Joined, uid.as_str()));
    let requests = changes.requests.iter().flat_map(request_indexes);
    let mut indexes: Vec<Row> = left
        .chain(requests)
        .chain(changes.charges.iter().flat_map(charge_indexes))
        .chain(changes.unresolved.iter().flat_map(unresolved_indexes))
        .collect();
    indexes.sort_by(|a, b| (a.tree, &a.key).cmp(&(b.tree, &b.key)));
    let accounts = changes.accounts.into_iter().map(|kept| {
        let key = kept.record.id.as_str();
        Row::put(Tree::Accounts, key, values::account(&kept))
    });
    let aliases = changes.aliases.into_iter().map(|(alias, account)| Row {
        tree: Tree::Aliases,
        key: alias.as_str().into(),
        value: account.map(|id| id.as_str().into()),
    });
    let given = changes.given.into_iter().map(|given| {
        let key = given.reference.as_str();
        Row::put(Tree::Given, key, values::given(&given))
    });
    let decided = changes.decided.into_iter().map(|(at, ids)| Row {
        tree: Tree::Decided,
        key: keys::time(at).into(),
        value: (!ids.is_empty()).then(|| values::requests(&ids)),
    });
    let unresolved = changes.unresolved.into_iter().map(|change| {
        let key = change.booking.as_str();
        Row::put(Tree::Unresolved, key, values::unresolved(&change.items))
    });
    let pieces = changes.pieces.into_iter().map(|(subject, piece)| {
        let key = keys::piece(&subject, piece[0]);
        Row::put(Tree::Pieces, key, keys::numbers(&piece))
    });
    let ledger = changes.ledger.map(|state| {
        let value = values::ledger_state(&state);
        Row::put(Tree::Meta, keys::LEDGER, value)
    });
    let records = accounts.chain(aliases).chain(given);
    let records = records.chain(changes.requests.into_iter().map(request_row));
    let records = records.chain(changes.charges.into_iter().map(charge_row));
    let records = records.chain(indexes).chain(decided);
    records.chain(unresolved).chain(pieces).chain(ledger)
}

fn request_row(change: RequestChange) -> Row {
    let key = change.kept.record.id.as_str();
    Row::put(Tree::Requests, key, values::request(&change.kept))
}

fn charge_row(change: ChargeChange) -> Row {
    let key = change.kept.record.booking.uid.as_str();
    Row::put(Tree::Charges, key, values::charge(&change.kept))
}

/// What moves in the indexes.
fn request_indexes(change: &RequestChange) -> Vec<Row> {
    let request = &change.kept.record;
    let id = request.id.as_str();
    let (was, is) = (&change.was, RequestPlaces::of(request));
    let timed = |at: Time| keys::timed(at, id);
    let asked = |(booker, at): &(Address, Time)| keys::owned(booker.as_str(), *at, id);
    let mut rows = Vec::new();
    follow(
        &mut rows,
        Tree::Open,
        was.open.map(timed),
        is.open.map(timed),
    );
    follow(
        &mut rows,
        Tree::Noted,
        was.noted.map(timed),
        is.noted.map(timed),
    );
    let asked_then = was.asked.as_ref().map(asked);
    follow(
        &mut rows,
        Tree::Asked,
        asked_then,
        is.asked.as_ref().map(asked),
    );
    follow(
        &mut rows,
        Tree::Declined,
        was.declined.map(timed),
        is.declined.map(timed),
    );
    follow(
        &mut rows,
        Tree::WrongPins,
        was.wrong_pin.map(timed),
        is.wrong_pin.map(timed),
    );
    for uid in &change.joined {
        rows.push(Row::put(Tree::Joined, uid.as_str(), id.into()));
    }
    rows
}

/// What moves in the indexes.
fn charge_indexes(change: &ChargeChange) -> Vec<Row> {
    let charge = &change.kept.record;
    let uid = charge.booking.uid.as_str();
    let (was, is) = (change.was, ChargePlaces::of(charge));
    let live = |live: bool| live.then(|| uid.into());
    let standing = |at: Time| keys::owned(charge.account.as_str(), at, uid);
    let mut rows = Vec::new();
    follow(&mut rows, Tree::Live, live(was.live), live(is.live));
    follow(
        &mut rows,
        Tree::Standing,
        was.standing.map(standing),
        is.standing.map(standing),
    );
    rows
}

/// What moves in the index.
fn unresolved_indexes(change: &UnresolvedChange) -> Vec<Row> {
    let is = UnresolvedChange::ranks(&change.items);
    let key = |rank: &UnresolvedRank| keys::timed(rank.until, &rank.name);
    let left = change.was.difference(&is);
    let left = left.map(|rank| Row::remove(Tree::Listed, key(rank)));
    let new = is.difference(&change.was);
    let new = new.map(|rank| Row::put(Tree::Listed, key(rank), Vec::new()));
    left.chain(new).collect()
}

/// The rows that bring an index from where a record was to where it is.
fn follow(rows: &mut Vec<Row>, tree: Tree, was: Option<Vec<u8>>, is: Option<Vec<u8>>) {
    if was != is {
        rows.extend(was.map(|key| Row::remove(tree, key)));
        rows.extend(is.map(|key| Row::put(tree, key, Vec::new())));
    }
}

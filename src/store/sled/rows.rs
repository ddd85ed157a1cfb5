//! Changes as rows of the trees: the one place that knows which index follows from which record.

use super::super::overlay::{Changes, ChargeChange, RequestChange, is_live, is_open};
use super::keys::{self, Tree};
use super::values;

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

/// The rows of all changes, in the order of trees and keys: sled takes them three times as fast.
pub fn rows(changes: &Changes) -> Vec<Row> {
    let mut rows = Vec::new();
    for kept in &changes.accounts {
        let key = kept.record.id.as_str();
        rows.push(Row::put(Tree::Accounts, key, values::account(kept)));
    }
    for (alias, account) in &changes.aliases {
        let value = account.as_ref().map(|id| id.as_str().into());
        rows.push(Row {
            tree: Tree::Aliases,
            key: alias.as_str().into(),
            value,
        });
    }
    for given in &changes.given {
        let key = given.reference.as_str();
        rows.push(Row::put(Tree::Given, key, values::given(given)));
    }
    for change in &changes.requests {
        request_rows(change, &mut rows);
    }
    for change in &changes.charges {
        charge_rows(change, &mut rows);
    }
    for (at, ids) in &changes.decided {
        let key = keys::time(*at);
        rows.push(if ids.is_empty() {
            Row::remove(Tree::Decided, key)
        } else {
            Row::put(Tree::Decided, key, values::requests(ids))
        });
    }
    for (subject, piece) in &changes.pieces {
        let key = keys::piece(subject, piece[0]);
        rows.push(Row::put(Tree::Pieces, key, keys::numbers(piece)));
    }
    rows.sort_unstable_by(|a, b| (a.tree, &a.key).cmp(&(b.tree, &b.key)));
    rows
}

fn request_rows(change: &RequestChange, rows: &mut Vec<Row>) {
    let request = &change.kept.record;
    let id = request.id.as_str();
    rows.push(Row::put(Tree::Requests, id, values::request(&change.kept)));
    let open = is_open(request).then_some(request.decided);
    if open != change.was_open {
        if let Some(was) = change.was_open {
            rows.push(Row::remove(Tree::Open, keys::open(was, id)));
        }
        if let Some(open) = open {
            rows.push(Row::put(Tree::Open, keys::open(open, id), Vec::new()));
        }
    }
    for uid in &change.joined {
        rows.push(Row::put(Tree::Joined, uid.as_str(), id.into()));
    }
}

fn charge_rows(change: &ChargeChange, rows: &mut Vec<Row>) {
    let uid = change.kept.record.booking.uid.as_str();
    rows.push(Row::put(Tree::Charges, uid, values::charge(&change.kept)));
    match (change.was_live, is_live(&change.kept.record)) {
        (false, true) => rows.push(Row::put(Tree::Live, uid, Vec::new())),
        (true, false) => rows.push(Row::remove(Tree::Live, uid)),
        (true, true) | (false, false) => {}
    }
}

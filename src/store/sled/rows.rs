//! Turns changes into rows of the trees. This is the only module that knows which index follows
//! from which record.

use super::super::changes::{
    Changes, ChargeChange, ChargeIndexKeys, RequestChange, RequestIndexKeys, UnresolvedChange,
};
use super::keys::{self, Tree};
use super::values;
use crate::domain::id::Address;
use crate::domain::time::Time;
use crate::domain::unresolved::UnresolvedRank;

/// One row as it is to be; a `value` of `None` removes the row.
#[derive(Debug, PartialEq, Eq)]
pub struct ProjectionRow {
    /// The tree that the row belongs to.
    pub tree: Tree,
    /// The row's key.
    pub key: Vec<u8>,
    /// The row's value; `None` removes the row.
    pub value: Option<Vec<u8>>,
}

impl ProjectionRow {
    /// Returns a row that is to have this value.
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

/// Returns the rows of all changes. The rows are made one after the other, and the changes are
/// freed on the way. In each tree the keys ascend, because sled takes such rows three times as
/// fast.
pub fn into_rows(mut changes: Changes) -> impl Iterator<Item = ProjectionRow> {
    sort_records(&mut changes);
    let indexes = index_rows(&changes);
    let accounts = changes.accounts.into_iter().map(|versioned| {
        let key = versioned.record.id.as_str();
        ProjectionRow::put(Tree::Accounts, key, values::encode_account(&versioned))
    });
    let aliases = changes
        .aliases
        .into_iter()
        .map(|(alias, account)| ProjectionRow {
            tree: Tree::Aliases,
            key: alias.as_str().into(),
            value: account.map(|id| id.as_str().into()),
        });
    let grant_records = changes.grant_records.into_iter().map(|given| {
        let key = given.reference.as_str();
        ProjectionRow::put(Tree::GrantRecords, key, values::encode_grant_record(&given))
    });
    let decided_requests = changes
        .decided_requests
        .into_iter()
        .map(|(at, ids)| ProjectionRow {
            tree: Tree::DecidedRequests,
            key: keys::encode_time(at).into(),
            value: (!ids.is_empty()).then(|| values::encode_request_ids(&ids)),
        });
    let unresolved_items = changes.unresolved.into_iter().map(|change| {
        let key = change.booking.as_str();
        ProjectionRow::put(
            Tree::Unresolved,
            key,
            values::encode_unresolved_items(&change.items),
        )
    });
    let daily_totals = changes.daily_totals.into_iter().map(|(day, totals)| {
        let value = values::encode_daily_totals(&totals);
        ProjectionRow::put(Tree::DailyTotals, keys::encode_day(day), value)
    });
    let credit_flows = changes.credit_flows.into_iter().map(|(quarter, flows)| {
        let value = values::encode_credit_flows(&flows);
        ProjectionRow::put(Tree::CreditFlows, keys::encode_quarter(quarter), value)
    });
    let history_pages = changes.history_pages.into_iter().map(|(subject, piece)| {
        let key = keys::history_page_key(&subject, piece[0]);
        ProjectionRow::put(Tree::HistoryPages, key, keys::encode_numbers(&piece))
    });
    let ledger = changes.ledger.map(|state| {
        let value = values::encode_ledger_state(&state);
        ProjectionRow::put(Tree::Meta, keys::LEDGER, value)
    });
    let records = accounts.chain(aliases).chain(grant_records);
    let records = records.chain(changes.requests.into_iter().map(into_request_row));
    let records = records.chain(changes.charges.into_iter().map(into_charge_row));
    let records = records.chain(indexes).chain(decided_requests);
    records
        .chain(unresolved_items)
        .chain(daily_totals)
        .chain(credit_flows)
        .chain(history_pages)
        .chain(ledger)
}

/// Sorts the records of each tree by their keys.
fn sort_records(changes: &mut Changes) {
    changes
        .accounts
        .sort_unstable_by(|a, b| a.record.id.cmp(&b.record.id));
    changes.aliases.sort_unstable();
    changes
        .grant_records
        .sort_unstable_by(|a, b| a.reference.cmp(&b.reference));
    changes.requests.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    changes
        .charges
        .sort_unstable_by(|a, b| a.uid().cmp(b.uid()));
    changes.decided_requests.sort_unstable();
    changes.daily_totals.sort_unstable_by_key(|(day, _)| *day);
    { &mut changes.credit_flows }.sort_unstable_by_key(|(quarter, _)| *quarter);
    changes
        .unresolved
        .sort_unstable_by(|a, b| a.booking.cmp(&b.booking));
}

/// Returns the rows that change in all indexes, by tree and key.
fn index_rows(changes: &Changes) -> Vec<ProjectionRow> {
    // Removals come first: another request may take a booking that one request gives up.
    let removed_bookings = changes
        .requests
        .iter()
        .flat_map(|change| &change.removed_bookings);
    let removed_rows =
        removed_bookings.map(|uid| ProjectionRow::remove(Tree::JoinedBookings, uid.as_str()));
    let requests = changes.requests.iter().flat_map(request_index_rows);
    let mut rows: Vec<ProjectionRow> = removed_rows
        .chain(requests)
        .chain(changes.charges.iter().flat_map(charge_index_rows))
        .chain(changes.unresolved.iter().flat_map(unresolved_index_rows))
        .collect();
    rows.sort_by(|a, b| (a.tree, &a.key).cmp(&(b.tree, &b.key)));
    rows
}

fn into_request_row(change: RequestChange) -> ProjectionRow {
    let key = change.versioned.record.id.as_str();
    ProjectionRow::put(
        Tree::Requests,
        key,
        values::encode_request(&change.versioned),
    )
}

fn into_charge_row(change: ChargeChange) -> ProjectionRow {
    let key = change.versioned.record.booking.uid.as_str();
    ProjectionRow::put(Tree::Charges, key, values::encode_charge(&change.versioned))
}

/// Returns the rows that change in the request's indexes.
fn request_index_rows(change: &RequestChange) -> Vec<ProjectionRow> {
    let request = &change.versioned.record;
    let id = request.id.as_str();
    let (previous_keys, current_keys) = (&change.previous_keys, RequestIndexKeys::of(request));
    let time_key = |at: Time| keys::time_key(at, id);
    let booker_key = |(booker, at): &(Address, Time)| keys::owner_key(booker.as_str(), *at, id);
    let mut rows = Vec::new();
    move_index_key(
        &mut rows,
        Tree::OpenIntents,
        previous_keys.open_since.map(time_key),
        current_keys.open_since.map(time_key),
    );
    move_index_key(
        &mut rows,
        Tree::NotedRequests,
        previous_keys.noted_until.map(time_key),
        current_keys.noted_until.map(time_key),
    );
    let previous_booker_key = previous_keys.booker_and_creation.as_ref().map(booker_key);
    move_index_key(
        &mut rows,
        Tree::RequestsByBooker,
        previous_booker_key,
        current_keys.booker_and_creation.as_ref().map(booker_key),
    );
    move_index_key(
        &mut rows,
        Tree::DeclinedRequests,
        previous_keys.declined_at.map(time_key),
        current_keys.declined_at.map(time_key),
    );
    move_index_key(
        &mut rows,
        Tree::WrongPins,
        previous_keys.wrong_pin_created.map(time_key),
        current_keys.wrong_pin_created.map(time_key),
    );
    for uid in &change.joined_bookings {
        rows.push(ProjectionRow::put(
            Tree::JoinedBookings,
            uid.as_str(),
            id.into(),
        ));
    }
    rows
}

/// Returns the rows that change in the charge's indexes.
fn charge_index_rows(change: &ChargeChange) -> Vec<ProjectionRow> {
    let charge = &change.versioned.record;
    let uid = charge.booking.uid.as_str();
    let (previous_keys, current_keys) = (change.previous_keys, ChargeIndexKeys::of(charge));
    let live_key = |live: bool| live.then(|| uid.into());
    let counted_key = |at: Time| keys::owner_key(charge.account.as_str(), at, uid);
    let mut rows = Vec::new();
    move_index_key(
        &mut rows,
        Tree::LiveCharges,
        live_key(previous_keys.is_live),
        live_key(current_keys.is_live),
    );
    move_index_key(
        &mut rows,
        Tree::CountedCharges,
        previous_keys.counted_start.map(counted_key),
        current_keys.counted_start.map(counted_key),
    );
    rows
}

/// Returns the rows that change in the index of open items.
fn unresolved_index_rows(change: &UnresolvedChange) -> Vec<ProjectionRow> {
    let current_ranks = UnresolvedChange::open_ranks(&change.items);
    let key = |rank: &UnresolvedRank| keys::time_key(rank.until, &rank.name);
    let removed_ranks = change.previous_ranks.difference(&current_ranks);
    let removed_rows =
        removed_ranks.map(|rank| ProjectionRow::remove(Tree::OpenUnresolved, key(rank)));
    let added_ranks = current_ranks.difference(&change.previous_ranks);
    let added_rows =
        added_ranks.map(|rank| ProjectionRow::put(Tree::OpenUnresolved, key(rank), Vec::new()));
    removed_rows.chain(added_rows).collect()
}

/// Adds the rows that move an entry of an index from its previous key to its current key.
fn move_index_key(
    rows: &mut Vec<ProjectionRow>,
    tree: Tree,
    previous_key: Option<Vec<u8>>,
    current_key: Option<Vec<u8>>,
) {
    if previous_key != current_key {
        rows.extend(previous_key.map(|key| ProjectionRow::remove(tree, key)));
        rows.extend(current_key.map(|key| ProjectionRow::put(tree, key, Vec::new())));
    }
}

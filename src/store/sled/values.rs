//! Encodes records as values of the projection: the written forms of `codec`, with the newest
//! commit numbers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::codec::account::{AccountRecord, StoredGrantRecord};
use super::super::codec::charge::ChargeRecord;
use super::super::codec::daily_totals::DailyTotalsRecord;
use super::super::codec::ledger::LedgerStateRecord;
use super::super::codec::request::RequestRecord;
use super::super::codec::text::RecordError;
use super::super::codec::unresolved::UnresolvedRecord;
use super::super::versioned::Versioned;
use crate::domain::account::Account;
use crate::domain::credit_flows::CreditFlows;
use crate::domain::daily_totals::DailyTotals;
use crate::domain::grant::GrantRecord;
use crate::domain::id::RequestId;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::unresolved::UnresolvedBooking;

/// The capacity for a typical record, so that its value is not copied while it grows.
const TYPICAL_LENGTH: usize = 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionedRecord<R> {
    seqs: Vec<u64>,
    record: R,
}

/// Encodes an account with its newest commit numbers.
pub fn encode_account(versioned: &Versioned<Account>) -> Vec<u8> {
    write_versioned(&versioned.seqs, AccountRecord::from(&versioned.record))
}

/// Decodes what `encode_account` encoded.
pub fn decode_account(value: &[u8]) -> Result<Versioned<Account>, RecordError> {
    let versioned: VersionedRecord<AccountRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Versioned {
        record: versioned.record.try_into()?,
        seqs: versioned.seqs,
    })
}

/// Encodes a request with its newest commit numbers.
pub fn encode_request(versioned: &Versioned<Request>) -> Vec<u8> {
    write_versioned(&versioned.seqs, RequestRecord::from(&versioned.record))
}

/// Decodes what `encode_request` encoded.
pub fn decode_request(value: &[u8]) -> Result<Versioned<Request>, RecordError> {
    let versioned: VersionedRecord<RequestRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Versioned {
        record: versioned.record.try_into()?,
        seqs: versioned.seqs,
    })
}

/// Encodes a charge with its newest commit numbers.
pub fn encode_charge(versioned: &Versioned<Charge>) -> Vec<u8> {
    write_versioned(&versioned.seqs, ChargeRecord::from(&versioned.record))
}

/// Decodes what `encode_charge` encoded.
pub fn decode_charge(value: &[u8]) -> Result<Versioned<Charge>, RecordError> {
    let versioned: VersionedRecord<ChargeRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Versioned {
        record: versioned.record.try_into()?,
        seqs: versioned.seqs,
    })
}

/// Encodes a grant or revocation.
pub fn encode_grant_record(given: &GrantRecord) -> Vec<u8> {
    write(&StoredGrantRecord::from(given))
}

/// Decodes what `encode_grant_record` encoded.
pub fn decode_grant_record(value: &[u8]) -> Result<GrantRecord, RecordError> {
    let record: StoredGrantRecord<'_> = serde_json::from_slice(value)?;
    record.try_into()
}

/// Encodes the items of one booking.
pub fn encode_unresolved_items(items: &[UnresolvedBooking]) -> Vec<u8> {
    let records: Vec<UnresolvedRecord<'_>> = items.iter().map(UnresolvedRecord::from).collect();
    write(&records)
}

/// Decodes what `encode_unresolved_items` encoded.
pub fn decode_unresolved_items(value: &[u8]) -> Result<Vec<UnresolvedBooking>, RecordError> {
    let records: Vec<UnresolvedRecord<'_>> = serde_json::from_slice(value)?;
    records
        .into_iter()
        .map(UnresolvedBooking::try_from)
        .collect()
}

/// Encodes what the ledger knows about itself.
pub fn encode_ledger_state(state: &LedgerState) -> Vec<u8> {
    write(&LedgerStateRecord::from(state))
}

/// Decodes what `encode_ledger_state` encoded.
pub fn decode_ledger_state(value: &[u8]) -> Result<LedgerState, RecordError> {
    let record: LedgerStateRecord<'_> = serde_json::from_slice(value)?;
    record.try_into()
}

/// Encodes the totals of a day.
pub fn encode_daily_totals(totals: &DailyTotals) -> Vec<u8> {
    write(&DailyTotalsRecord::from(totals))
}

/// Encodes what happened to credits in a quarter of an hour: the numbers in the order of the fields.
pub fn encode_credit_flows(flows: &CreditFlows) -> Vec<u8> {
    write(&flows.numbers())
}

/// Decodes what `encode_credit_flows` encoded.
pub fn decode_credit_flows(value: &[u8]) -> Result<CreditFlows, RecordError> {
    Ok(CreditFlows::from_numbers(serde_json::from_slice(value)?))
}

/// Decodes what `encode_daily_totals` encoded.
pub fn decode_daily_totals(value: &[u8]) -> Result<DailyTotals, RecordError> {
    let record: DailyTotalsRecord<'_> = serde_json::from_slice(value)?;
    record.try_into()
}

/// Encodes ids of requests, one per line; no id holds a newline.
pub fn encode_request_ids(ids: &BTreeSet<RequestId>) -> Vec<u8> {
    let ids: Vec<&str> = ids.iter().map(RequestId::as_str).collect();
    ids.join("\n").into_bytes()
}

/// Decodes what `encode_request_ids` encoded; `None` if the value is not a list of ids.
pub fn decode_request_ids(value: &[u8]) -> Option<BTreeSet<RequestId>> {
    let text = std::str::from_utf8(value).ok()?;
    text.split('\n')
        .map(|id| RequestId::parse(id).ok())
        .collect()
}

fn write_versioned<R: Serialize>(seqs: &[u64], record: R) -> Vec<u8> {
    write(&VersionedRecord {
        seqs: seqs.to_vec(),
        record,
    })
}

fn write<R: Serialize>(record: &R) -> Vec<u8> {
    let mut value = Vec::with_capacity(TYPICAL_LENGTH);
    // Every instant in a record was read from a line of the log, so it can be written again.
    serde_json::to_writer(&mut value, record)
        .expect("a record that was read from a line can be written");
    value
}

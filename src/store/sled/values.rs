//! Records as values of the fold: the written forms of `record`, with the newest commit numbers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::overlay::Kept;
use super::super::record::account::{AccountRecord, GivenRecord};
use super::super::record::charge::ChargeRecord;
use super::super::record::ledger::LedgerStateRecord;
use super::super::record::request::RequestRecord;
use super::super::record::text::RecordError;
use super::super::record::unresolved::UnresolvedRecord;
use crate::domain::account::Account;
use crate::domain::id::RequestId;
use crate::domain::ledger::Given;
use crate::domain::ledger_state::LedgerState;
use crate::domain::request::{Charge, Request};
use crate::domain::unresolved::Unresolved;

/// Room for a usual record, so that its value is not copied while it grows.
const USUAL: usize = 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRecord<R> {
    seqs: Vec<u64>,
    record: R,
}

pub fn account(kept: &Kept<Account>) -> Vec<u8> {
    write_kept(&kept.seqs, AccountRecord::from(&kept.record))
}

pub fn read_account(value: &[u8]) -> Result<Kept<Account>, RecordError> {
    let kept: KeptRecord<AccountRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Kept {
        record: kept.record.try_into()?,
        seqs: kept.seqs,
    })
}

pub fn request(kept: &Kept<Request>) -> Vec<u8> {
    write_kept(&kept.seqs, RequestRecord::from(&kept.record))
}

pub fn read_request(value: &[u8]) -> Result<Kept<Request>, RecordError> {
    let kept: KeptRecord<RequestRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Kept {
        record: kept.record.try_into()?,
        seqs: kept.seqs,
    })
}

pub fn charge(kept: &Kept<Charge>) -> Vec<u8> {
    write_kept(&kept.seqs, ChargeRecord::from(&kept.record))
}

pub fn read_charge(value: &[u8]) -> Result<Kept<Charge>, RecordError> {
    let kept: KeptRecord<ChargeRecord<'_>> = serde_json::from_slice(value)?;
    Ok(Kept {
        record: kept.record.try_into()?,
        seqs: kept.seqs,
    })
}

pub fn given(given: &Given) -> Vec<u8> {
    write(&GivenRecord::from(given))
}

pub fn read_given(value: &[u8]) -> Result<Given, RecordError> {
    let record: GivenRecord<'_> = serde_json::from_slice(value)?;
    record.try_into()
}

pub fn unresolved(items: &[Unresolved]) -> Vec<u8> {
    let records: Vec<UnresolvedRecord<'_>> = items.iter().map(UnresolvedRecord::from).collect();
    write(&records)
}

pub fn read_unresolved(value: &[u8]) -> Result<Vec<Unresolved>, RecordError> {
    let records: Vec<UnresolvedRecord<'_>> = serde_json::from_slice(value)?;
    records.into_iter().map(Unresolved::try_from).collect()
}

pub fn ledger_state(state: &LedgerState) -> Vec<u8> {
    write(&LedgerStateRecord::from(state))
}

pub fn read_ledger_state(value: &[u8]) -> Result<LedgerState, RecordError> {
    let record: LedgerStateRecord<'_> = serde_json::from_slice(value)?;
    record.try_into()
}

/// Names of requests; none holds a newline.
pub fn requests(ids: &BTreeSet<RequestId>) -> Vec<u8> {
    let ids: Vec<&str> = ids.iter().map(RequestId::as_str).collect();
    ids.join("\n").into_bytes()
}

pub fn read_requests(value: &[u8]) -> Option<BTreeSet<RequestId>> {
    let text = std::str::from_utf8(value).ok()?;
    text.split('\n')
        .map(|id| RequestId::parse(id).ok())
        .collect()
}

fn write_kept<R: Serialize>(seqs: &[u64], record: R) -> Vec<u8> {
    write(&KeptRecord {
        seqs: seqs.to_vec(),
        record,
    })
}

fn write<R: Serialize>(record: &R) -> Vec<u8> {
    let mut value = Vec::with_capacity(USUAL);
    // Every instant in a record came out of a line of the log, so it can be written again.
    serde_json::to_writer(&mut value, record)
        .expect("a record that was read from a line can be written");
    value
}

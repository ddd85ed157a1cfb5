//! The commands that grant and revoke credits. Every grant has a reference: repeating a grant with
//! the same reference has no further effect, and using the reference with other contents is an
//! error.

use sha2::{Digest, Sha256};

use super::{parse, pause, similar_names};
use crate::control::protocol::account::GrantsView;
use crate::control::protocol::credits::{GrantCommand, RevokeCommand};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::account::SpendPreview;
use crate::domain::decision::Credits;
use crate::domain::fact::{CreditFact, Fact};
use crate::domain::gate::Policy;
use crate::domain::grant::{GrantKind, GrantRecord};
use crate::domain::id::{AccountId, Reference};
use crate::domain::lot::{LotSource, LotTerms, Purpose};
use crate::domain::time::{Span, Time};
use crate::store::port::{HistorySubject, Store};
use crate::store::transaction::{Stamp, transact};

/// Most grants shown of one account.
const MAX_GRANTS: usize = 1_000;

/// Grants credits, and opens the account if there is none. A reference that is recorded already
/// grants nothing.
///
/// # Errors
/// Fails when the command cannot be used, when the reference was used for something else, and when
/// the store cannot be read or written.
pub fn grant(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &GrantCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let (written, _) = transact(store, &stamp, |store| decide_grant(store, now, command))?;
    let record = &written.record;
    if written.existed {
        return grant_result(store, record, true, now);
    }
    let opened = written.opens_account;
    tracing::info!(reference = %record.reference, credits = record.credits, opened, "granted");
    let mut answer = grant_result(store, record, false, now)?;
    if let CommandResult::GrantRecord(view) = &mut answer {
        view.account_opened = opened;
    }
    Ok(answer)
}

/// What a command wrote, or found written already.
pub(super) struct WrittenGrant {
    pub(super) record: GrantRecord,
    pub(super) existed: bool,
    pub(super) opens_account: bool,
}

impl WrittenGrant {
    /// Returns the result of a command that was given before.
    pub(super) fn existing(record: GrantRecord) -> (Vec<Fact>, Self) {
        let written = Self {
            record,
            existed: true,
            opens_account: false,
        };
        (Vec::new(), written)
    }
}

fn decide_grant(
    store: &dyn Store,
    now: Time,
    command: &GrantCommand,
) -> Result<(Vec<Fact>, WrittenGrant), Refusal> {
    let account = parse::resolve_account_id(store, &command.account)?;
    let record = GrantRecord {
        reference: choose_reference(
            store,
            "grant",
            &account,
            command.credits,
            command.reference.as_deref(),
        )?,
        credits: parse::credits(command.credits)?,
        kind: GrantKind::Grant,
        expires: None,
        terms: grant_terms(command)?,
        reason: parse::reason(command.reason.as_deref(), "granted")?,
        at: now,
        account,
    };
    if let Some(existing_record) = find_grant_record(store, &record.reference)? {
        let expires = command
            .expires
            .as_deref()
            .map(|text| parse::time("the expiry", text))
            .transpose()?;
        let record = GrantRecord { expires, ..record };
        check_same_grant(&existing_record, &record)?;
        return Ok(WrittenGrant::existing(existing_record));
    }
    let record = GrantRecord {
        expires: parse::expiry(command.expires.as_deref(), now)?,
        ..record
    };
    let existing_account = store
        .account(&record.account)
        .map_err(|e| parse::store_failed(&e))?;
    if existing_account.is_none() {
        parse::check_new_account_name(&record.account)?;
        if !command.new {
            similar_names::refuse_similar_name(store, &record.account)?;
        }
    }
    let mut facts = expiry_facts(store, &record.account, now)?;
    facts.push(to_grant_fact(&record));
    let written = WrittenGrant {
        record,
        existed: false,
        opens_account: existing_account.is_none(),
    };
    Ok((facts, written))
}

/// The highest and the lowest priority of a grant.
const PRIORITIES: std::ops::RangeInclusive<i64> = -1_000..=1_000;

/// The longest time that credits may last after their first use: ten years.
const MAX_LASTS: u64 = 10 * 366 * 24 * 60 * 60;

/// The most gates of one grant.
const MAX_GATES: usize = 100;

fn grant_terms(command: &GrantCommand) -> Result<LotTerms, Refusal> {
    let source = command.source.as_deref().map(|word| {
        LotSource::parse(word).ok_or_else(|| {
            parse::usage(format!(
                "the source {word:?} is not known: expected paid, promotional or allowance"
            ))
        })
    });
    let priority = command.priority.unwrap_or(0);
    if !PRIORITIES.contains(&priority) {
        return Err(parse::usage(format!(
            "the priority {priority} is out of range: expected {} to {}",
            PRIORITIES.start(),
            PRIORITIES.end()
        )));
    }
    if command.gates.len() > MAX_GATES {
        return Err(parse::usage(format!(
            "a grant names at most {MAX_GATES} gates"
        )));
    }
    let lasts = command.lasts_after_first_use;
    if lasts.is_some_and(|seconds| !(1..=MAX_LASTS).contains(&seconds)) {
        return Err(parse::usage(
            "the time after the first use must be at least a second and at most ten years",
        ));
    }
    let lasts = lasts.and_then(|seconds| Some(Span::seconds(i64::try_from(seconds).ok()?)));
    Ok(LotTerms {
        source: source.transpose()?.unwrap_or_default(),
        priority: i16::try_from(priority).unwrap_or_default(),
        gates: command.gates.iter().cloned().collect(),
        lasts_after_first_use: lasts,
    })
}

/// Refuses a grant for a gate that the configuration does not have: nothing could be paid with it.
///
/// # Errors
/// Fails when there is such a gate in the command.
pub fn check_gates(policy: &Policy, command: &GrantCommand) -> Result<(), Refusal> {
    for gate in &command.gates {
        pause::check_gate(policy, gate)?;
    }
    Ok(())
}

/// Takes credits back. A reference that is recorded already takes nothing.
///
/// # Errors
/// Fails when the command cannot be used, when the account has too few credits, and when the store
/// cannot be read or written.
pub fn revoke(
    store: &mut dyn Store,
    stamp: impl Into<Stamp>,
    command: &RevokeCommand,
) -> Result<CommandResult, Refusal> {
    let stamp = stamp.into();
    let now = stamp.at;
    let (written, _) = transact(store, &stamp, |store| {
        decide_revocation(store, now, command)
    })?;
    let record = &written.record;
    if !written.existed {
        tracing::info!(reference = %record.reference, credits = record.credits, "revoked");
    }
    grant_result(store, record, written.existed, now)
}

fn decide_revocation(
    store: &dyn Store,
    now: Time,
    command: &RevokeCommand,
) -> Result<(Vec<Fact>, WrittenGrant), Refusal> {
    let account = parse::find_account(store, &command.account)?;
    let credits = parse::credits(command.credits)?;
    let id = account.id.clone();
    let record = GrantRecord {
        reference: choose_reference(store, "revoke", &id, credits, command.reference.as_deref())?,
        account: id,
        credits,
        kind: GrantKind::Revoke,
        expires: None,
        terms: LotTerms::default(),
        reason: parse::reason(command.reason.as_deref(), "revoked")?,
        at: now,
    };
    if let Some(existing_record) = find_grant_record(store, &record.reference)? {
        check_same_grant(&existing_record, &record)?;
        return Ok(WrittenGrant::existing(existing_record));
    }
    let mut preview = SpendPreview::new(&account);
    let mut facts = Fact::expire_parts(&account.id, preview.expire_lots(now));
    let Some(parts) = preview.allocate(credits, &Purpose::without_booking(now)) else {
        return Err(parse::refusal(
            "short-of-credit",
            format!(
                "account {} has {} available, {credits} cannot be taken back; a revocation does \
                 not change credits that are held or spent",
                account.id,
                crate::domain::messages::format_credits(account.available(now)),
            ),
        ));
    };
    facts.push(Fact::Credit(CreditFact::Revoke {
        reference: record.reference.clone(),
        account: record.account.clone(),
        parts,
        reason: record.reason.clone(),
    }));
    let written = WrittenGrant {
        record,
        existed: false,
        opens_account: false,
    };
    Ok((facts, written))
}

/// Returns the grants and revocations of an account, newest first.
///
/// # Errors
/// Fails when there is no such account, and when the store cannot be read.
pub fn list_grants(store: &dyn Store, now: Time, account: &str) -> Result<CommandResult, Refusal> {
    let account = parse::find_account_itself(store, account)?;
    let available = account.available(now);
    let subject = HistorySubject::Account(account.id.clone());
    let history = store
        .history(&subject, None, MAX_GRANTS)
        .map_err(|e| parse::store_failed(&e))?;
    let mut grants = Vec::new();
    for written in history {
        let (Fact::Credit(CreditFact::Grant { reference, .. })
        | Fact::Credit(CreditFact::Revoke { reference, .. })) = &written.fact
        else {
            continue;
        };
        if let Some(record) = find_grant_record(store, reference)? {
            grants.push(views::grant_record(&record, true, available));
        }
    }
    Ok(CommandResult::Grants(GrantsView {
        schema: SCHEMA,
        account: account.id.to_string(),
        grants,
    }))
}

pub(super) fn to_grant_fact(record: &GrantRecord) -> Fact {
    Fact::Credit(CreditFact::Grant {
        reference: record.reference.clone(),
        account: record.account.clone(),
        credits: record.credits,
        expires: record.expires,
        terms: record.terms.clone(),
        reason: record.reason.clone(),
    })
}

/// Returns the facts for expired lots that are due to be written off. A grant is a convenient time
/// to write them.
pub(super) fn expiry_facts(
    store: &dyn Store,
    account: &AccountId,
    now: Time,
) -> Result<Vec<Fact>, Refusal> {
    let existing_account = store
        .account(account)
        .map_err(|e| parse::store_failed(&e))?;
    Ok(existing_account.map_or_else(Vec::new, |there| {
        Fact::expire_parts(&there.id, SpendPreview::new(&there).expire_lots(now))
    }))
}

pub(super) fn find_grant_record(
    store: &dyn Store,
    reference: &Reference,
) -> Result<Option<GrantRecord>, Refusal> {
    store
        .grant_record(reference)
        .map_err(|e| parse::store_failed(&e))
}

/// Accepts a repeated request; another request under the same reference is an error.
pub(super) fn check_same_grant(
    existing: &GrantRecord,
    requested: &GrantRecord,
) -> Result<(), Refusal> {
    let key = |given: &GrantRecord| {
        (
            given.account.clone(),
            given.credits,
            given.kind,
            given.expires,
            given.terms.clone(),
        )
    };
    if key(existing) == key(requested) {
        return Ok(());
    }
    Err(parse::refusal(
        "reference-used",
        format!(
            "the reference {:?} was used on {} for something else ({} {} for {}): give another one",
            existing.reference.as_str(),
            views::format_time(existing.at),
            match existing.kind {
                GrantKind::Grant => "grant of",
                GrantKind::Revoke => "revocation of",
                GrantKind::Restored => "refund of",
                GrantKind::Transfer => "transfer of",
                GrantKind::Received => "receipt of",
                GrantKind::Overdraft => "overdraft of",
            },
            existing.credits,
            existing.account,
        ),
    ))
}

pub(super) fn grant_result(
    store: &dyn Store,
    record: &GrantRecord,
    existed: bool,
    now: Time,
) -> Result<CommandResult, Refusal> {
    let account = store
        .account(&record.account)
        .map_err(|e| parse::store_failed(&e))?;
    let available = account.map_or(0, |account| account.available(now));
    Ok(CommandResult::GrantRecord(views::grant_record(
        record, existed, available,
    )))
}

/// Returns the operator's reference, or a reference made from the log's head, which no two commits
/// share.
pub(super) fn choose_reference(
    store: &dyn Store,
    kind: &str,
    account: &AccountId,
    credits: Credits,
    operator_reference: Option<&str>,
) -> Result<Reference, Refusal> {
    if let Some(text) = operator_reference {
        return parse::reference(text);
    }
    let head = store.head();
    let mut hash = Sha256::new();
    hash.update(format!(
        "{kind}\n{account}\n{credits}\n{}\n{}",
        head.seq, head.hash
    ));
    let hex: String = hash
        .finalize()
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    parse::reference(&format!("{kind}-{}-{hex}", head.seq + 1))
}

#[cfg(test)]
mod tests {
    use super::super::test_fixtures::{now, store_with_credits};
    use super::*;
    use crate::domain::fact::AccountFact;

    fn grant_command(account: &str, new: bool) -> GrantCommand {
        GrantCommand {
            account: account.to_owned(),
            credits: 3,
            expires: None,
            reason: None,
            reference: None,
            new,
            source: None,
            priority: None,
            gates: Vec::new(),
            lasts_after_first_use: None,
        }
    }

    #[test]
    fn a_grant_reports_a_new_account_and_refuses_a_similar_name() {
        let mut store = store_with_credits(1);
        // account, --new, whether the grant opened an account
        let rows = [
            ("bo@example.com", false, Ok(false)),
            ("bo@exmaple.com", false, Err("similar-name")),
            ("bo", false, Err("similar-name")),
            ("bo@exmaple.com", true, Ok(true)),
            ("bo@exmaple.com", false, Ok(false)),
            ("someone@another.org", false, Ok(true)),
            ("@example.com", true, Err("usage")),
            ("=1+1", true, Err("usage")),
        ];
        for (account, new, expect) in rows {
            let opened = match grant(&mut store, now(), &grant_command(account, new)) {
                Ok(CommandResult::GrantRecord(view)) => Ok(view.account_opened),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => Err(refusal.code),
            };
            assert_eq!(opened, expect.map_err(str::to_owned), "{account} {new}");
        }
    }

    /// Older versions opened accounts under any name.
    #[test]
    fn an_account_with_a_name_that_is_no_longer_opened_is_used_as_before() {
        let mut store = store_with_credits(1);
        let account = AccountId::parse("@club").expect("a name");
        let opened = Fact::Account(AccountFact::Opened { account });
        store.commit(now(), vec![opened], &[]).expect("it fits");
        let result = grant(&mut store, now(), &grant_command("@club", false));
        assert!(
            matches!(result, Ok(CommandResult::GrantRecord(_))),
            "{result:?}"
        );
    }
}

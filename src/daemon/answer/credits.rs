//! Giving and taking credits. Every grant has a reference: the same one twice is the same grant asked
//! twice, with other contents it is an error.

use sha2::{Digest, Sha256};

use super::{near_names, parse};
use crate::control::protocol::account::GrantsView;
use crate::control::protocol::{Answer, Grant, Refusal, Revoke, SCHEMA};
use crate::daemon::views;
use crate::domain::account::SpendPreview;
use crate::domain::decision::Credits;
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, Reference};
use crate::domain::ledger::{Given, GivenKind};
use crate::domain::time::Time;
use crate::store::port::{Store, Subject};

/// Grants shown of one account.
const MAX_GRANTS: usize = 1_000;

pub fn grant(store: &mut dyn Store, now: Time, asked: &Grant) -> Result<Answer, Refusal> {
    let account = parse::account_id(store, &asked.account)?;
    let wanted = Given {
        reference: reference(
            store,
            "grant",
            &account,
            asked.credits,
            asked.reference.as_deref(),
        )?,
        credits: parse::credits(asked.credits)?,
        kind: GivenKind::Grant,
        expires: None,
        reason: parse::reason(asked.reason.as_deref(), "granted")?,
        at: now,
        account,
    };
    if let Some(there) = existing(store, &wanted.reference)? {
        let expires = asked
            .expires
            .as_deref()
            .map(|text| parse::time("the expiry", text))
            .transpose()?;
        let wanted = Given { expires, ..wanted };
        same(&there, &wanted)?;
        return shown(store, &there, true, now);
    }
    let wanted = Given {
        expires: parse::expiry(asked.expires.as_deref(), now)?,
        ..wanted
    };
    let there = store
        .account(&wanted.account)
        .map_err(|e| parse::store_failed(&e))?;
    if there.is_none() && !asked.new {
        near_names::refuse(store, &wanted.account)?;
    }
    let mut facts = expired(store, &wanted.account, now)?;
    facts.push(grant_fact(&wanted));
    store
        .commit(now, facts, &[])
        .map_err(|e| parse::commit_failed(&e))?;
    let opened = there.is_none();
    tracing::info!(reference = %wanted.reference, credits = wanted.credits, opened, "granted");
    let mut answer = shown(store, &wanted, false, now)?;
    if let Answer::Given(view) = &mut answer {
        view.opened = opened;
    }
    Ok(answer)
}

pub fn revoke(store: &mut dyn Store, now: Time, asked: &Revoke) -> Result<Answer, Refusal> {
    let account = parse::account(store, &asked.account)?;
    let credits = parse::credits(asked.credits)?;
    let id = account.id.clone();
    let wanted = Given {
        reference: reference(store, "revoke", &id, credits, asked.reference.as_deref())?,
        account: id,
        credits,
        kind: GivenKind::Revoke,
        expires: None,
        reason: parse::reason(asked.reason.as_deref(), "revoked")?,
        at: now,
    };
    if let Some(there) = existing(store, &wanted.reference)? {
        same(&there, &wanted)?;
        return shown(store, &there, true, now);
    }
    let mut preview = SpendPreview::of(&account);
    let mut facts = Fact::expired(&account.id, preview.expire_lots(now));
    let Some(parts) = preview.allocate(credits, now) else {
        return Err(parse::refused(
            "short-of-credit",
            format!(
                "account {} has {} available, {credits} cannot be taken back; what is held or \
                 spent is not touched by a revocation",
                account.id,
                crate::domain::text::credits(account.available(now)),
            ),
        ));
    };
    facts.push(Fact::Revoke {
        reference: wanted.reference.clone(),
        account: wanted.account.clone(),
        parts,
        reason: wanted.reason.clone(),
    });
    store
        .commit(now, facts, &[])
        .map_err(|e| parse::commit_failed(&e))?;
    tracing::info!(reference = %wanted.reference, credits, "revoked");
    shown(store, &wanted, false, now)
}

pub fn grants(store: &dyn Store, now: Time, account: &str) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let available = account.available(now);
    let subject = Subject::Account(account.id.clone());
    let history = store
        .history(&subject, None, MAX_GRANTS)
        .map_err(|e| parse::store_failed(&e))?;
    let mut grants = Vec::new();
    for written in history {
        let (Fact::Grant { reference, .. } | Fact::Revoke { reference, .. }) = &written.fact else {
            continue;
        };
        if let Some(there) = existing(store, reference)? {
            grants.push(views::given(&there, true, available));
        }
    }
    Ok(Answer::Grants(GrantsView {
        schema: SCHEMA,
        account: account.id.to_string(),
        grants,
    }))
}

pub(super) fn grant_fact(given: &Given) -> Fact {
    Fact::Grant {
        reference: given.reference.clone(),
        account: given.account.clone(),
        credits: given.credits,
        expires: given.expires,
        reason: given.reason.clone(),
    }
}

/// Write-offs that are due; a grant is a good time to say so.
pub(super) fn expired(
    store: &dyn Store,
    account: &AccountId,
    now: Time,
) -> Result<Vec<Fact>, Refusal> {
    let there = store
        .account(account)
        .map_err(|e| parse::store_failed(&e))?;
    Ok(there.map_or_else(Vec::new, |there| {
        Fact::expired(&there.id, SpendPreview::of(&there).expire_lots(now))
    }))
}

pub(super) fn existing(store: &dyn Store, reference: &Reference) -> Result<Option<Given>, Refusal> {
    store.given(reference).map_err(|e| parse::store_failed(&e))
}

/// Asking the same again is harmless; asking something else under the same reference is an error.
pub(super) fn same(there: &Given, wanted: &Given) -> Result<(), Refusal> {
    let key = |given: &Given| {
        (
            given.account.clone(),
            given.credits,
            given.kind,
            given.expires,
        )
    };
    if key(there) == key(wanted) {
        return Ok(());
    }
    Err(parse::refused(
        "reference-used",
        format!(
            "the reference {:?} was used on {} for something else ({} {} for {}): give another one",
            there.reference.as_str(),
            views::time(there.at),
            match there.kind {
                GivenKind::Grant => "grant of",
                GivenKind::Revoke => "revocation of",
                GivenKind::Restored => "refund of",
            },
            there.credits,
            there.account,
        ),
    ))
}

fn shown(store: &dyn Store, given: &Given, existed: bool, now: Time) -> Result<Answer, Refusal> {
    let account = store
        .account(&given.account)
        .map_err(|e| parse::store_failed(&e))?;
    let available = account.map_or(0, |account| account.available(now));
    Ok(Answer::Given(views::given(given, existed, available)))
}

/// The operator's reference, or one made from the log's head, which no two commits share.
fn reference(
    store: &dyn Store,
    kind: &str,
    account: &AccountId,
    credits: Credits,
    given: Option<&str>,
) -> Result<Reference, Refusal> {
    if let Some(text) = given {
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
    use super::super::make::{now, store};
    use super::*;

    fn asked(account: &str, new: bool) -> Grant {
        Grant {
            account: account.to_owned(),
            credits: 3,
            expires: None,
            reason: None,
            reference: None,
            new,
        }
    }

    #[test]
    fn a_grant_says_when_it_opens_an_account_and_a_mistyped_name_needs_a_word() {
        let mut store = store(1);
        // account, --new, whether the grant opened an account
        let rows = [
            ("bo@example.com", false, Ok(false)),
            ("bo@exmaple.com", false, Err("near-name")),
            ("bo", false, Err("near-name")),
            ("bo@exmaple.com", true, Ok(true)),
            ("bo@exmaple.com", false, Ok(false)),
            ("someone@another.org", false, Ok(true)),
        ];
        for (account, new, expect) in rows {
            let opened = match grant(&mut store, now(), &asked(account, new)) {
                Ok(Answer::Given(view)) => Ok(view.opened),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => Err(refusal.code),
            };
            assert_eq!(opened, expect.map_err(str::to_owned), "{account} {new}");
        }
    }
}

//! Looking at accounts, and their aliases.

use super::parse;
use crate::control::protocol::account::{AccountsView, StatementView};
use crate::control::protocol::{Answer, EntryView, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::account::{Account, Part, sum};
use crate::domain::decision::Credits;
use crate::domain::fact::{Back, Fact};
use crate::domain::id::{AccountId, Address, BookingUid, had_other_forms};
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError, Subject, Written};

/// Accounts in one answer.
const MAX_ACCOUNTS: u32 = 100_000;

/// Accounts that a search reads at once.
const SEARCHED_AT_ONCE: u32 = 1_000;

/// Entries in one statement.
const MAX_ENTRIES: u32 = 100_000;

pub fn show(store: &dyn Store, now: Time, account: &str) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    Ok(Answer::Account(views::account(&account, now)))
}

pub fn list(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
    search: Option<&str>,
) -> Result<Answer, Refusal> {
    let (accounts, next) = match search {
        None => page(store, after, limit)?,
        Some(text) => found(store, after, limit, text)?,
    };
    Ok(Answer::Accounts(AccountsView {
        schema: SCHEMA,
        accounts: accounts
            .iter()
            .map(|account| views::account(account, now))
            .collect(),
        next,
    }))
}

/// Accounts in order of their names, and where to go on when there are more.
pub(super) fn page(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let after = after
        .map(AccountId::parse)
        .transpose()
        .map_err(|why| parse::usage(format!("the account to go on after {why}")))?;
    let limit = usize::try_from(limit.clamp(1, MAX_ACCOUNTS)).unwrap_or(usize::MAX);
    let mut accounts = store
        .accounts(after.as_ref(), limit + 1)
        .map_err(|e| parse::store_failed(&e))?;
    let more = accounts.len() > limit;
    accounts.truncate(limit);
    let next = accounts
        .last()
        .filter(|_| more)
        .map(|account| account.id.to_string());
    Ok((accounts, next))
}

/// As [`page`], of the accounts with this text in their name or in an alias. Case does not count.
fn found(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
    text: &str,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let text = text.to_lowercase();
    let limit = usize::try_from(limit.clamp(1, MAX_ACCOUNTS)).unwrap_or(usize::MAX);
    let mut accounts = Vec::new();
    let mut after = after.map(str::to_owned);
    loop {
        let (read, next) = page(store, after.as_deref(), SEARCHED_AT_ONCE)?;
        for account in read {
            let mut names = account.aliases.iter().map(|alias| alias.as_str());
            if !account.id.as_str().contains(&text) && !names.any(|name| name.contains(&text)) {
                continue;
            }
            if accounts.len() == limit {
                let last = accounts.last().map(|last: &Account| last.id.to_string());
                return Ok((accounts, last));
            }
            accounts.push(account);
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok((accounts, None)),
        }
    }
}

pub fn alias(
    store: &mut dyn Store,
    now: Time,
    account: &str,
    alias: &str,
    remove: bool,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let alias =
        Address::parse(alias).map_err(|why| parse::usage(format!("the alias {alias:?} {why}")))?;
    let there = account.aliases.contains(&alias);
    // The ledger lets such names pass, because old logs may have several spellings of one.
    if !remove
        && !there
        && had_other_forms(alias.as_str())
        && let Some(other) = store.resolve(&alias).map_err(|e| parse::store_failed(&e))?
        && other != account.id
    {
        return Err(parse::refused(
            "conflict",
            format!("the name {alias} is taken by the account {other}"),
        ));
    }
    if there == remove {
        let id = account.id.clone();
        let fact = if remove {
            Fact::Unaliased { account: id, alias }
        } else {
            Fact::Aliased { account: id, alias }
        };
        store
            .commit(now, vec![fact], &[])
            .map_err(|e| parse::commit_failed(&e))?;
    } else if remove {
        return Err(parse::not_found(format!(
            "account {} has no alias {alias}",
            account.id
        )));
    }
    show(store, now, account.id.as_str())
}

pub fn statement(
    store: &dyn Store,
    now: Time,
    account: &str,
    limit: u32,
) -> Result<Answer, Refusal> {
    let account = parse::account(store, account)?;
    let limit = usize::try_from(limit.clamp(1, MAX_ENTRIES)).unwrap_or(usize::MAX);
    let entries = store
        .history(&Subject::Account(account.id.clone()), None, limit)
        .map_err(|e| parse::store_failed(&e))?;
    let mut views = Vec::with_capacity(entries.len());
    // Back from what is there now, because a statement shows the newest entries first.
    let mut balance = i128::from(account.lots.iter().map(|lot| lot.left).sum::<Credits>());
    for written in &entries {
        let mut view = movement(store, written)?;
        view.balance = u64::try_from(balance).ok();
        views.push(view);
        balance -= gain(store, written)?;
    }
    Ok(Answer::Statement(StatementView {
        schema: SCHEMA,
        account: account.id.to_string(),
        entries: views,
        balance: views::account(&account, now),
    }))
}

/// By how much an entry raised the balance.
fn gain(store: &dyn Store, written: &Written) -> Result<i128, Refusal> {
    let of = |parts: &[Part]| i128::from(sum(parts));
    let given_back = |parts: &[Back]| parts.iter().map(|part| i128::from(part.credits)).sum();
    Ok(match &written.fact {
        Fact::Grant { credits, .. } => i128::from(*credits),
        Fact::Revoke { parts, .. } | Fact::Hold { parts, .. } => -of(parts),
        Fact::Expire { part, .. } => -i128::from(part.credits),
        Fact::Refund { parts, .. } => given_back(parts),
        // One that names no lots gives all that was held back to the lots that paid.
        Fact::Void { booking, back, .. } if back.is_empty() => {
            held(store, booking, written.seq)?.as_deref().map_or(0, of)
        }
        Fact::Void { back, .. } => given_back(back),
        Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Frozen { .. }
        | Fact::Pinned { .. }
        | Fact::Post { .. }
        | Fact::Move { .. }
        | Fact::Closed { .. }
        | Fact::Decided { .. }
        | Fact::Reviewed { .. }
        | Fact::Called { .. }
        | Fact::Settled { .. }
        | Fact::Unresolved { .. }
        | Fact::Resolved { .. }
        | Fact::Ledger(_) => 0,
    })
}

/// Entries of a booking that are read at once: a hold stands right before its end.
const NEAR: usize = 16;

/// What was held for the booking last before this commit.
fn held(
    store: &dyn Store,
    booking: &BookingUid,
    before: u64,
) -> Result<Option<Vec<Part>>, Refusal> {
    let subject = Subject::Booking(booking.clone());
    let mut before = Some(before);
    loop {
        let entries = store.history(&subject, before, NEAR);
        let entries = entries.map_err(|e| parse::store_failed(&e))?;
        let Some(last) = entries.last() else {
            return Ok(None);
        };
        before = Some(last.seq);
        let hold = entries.into_iter().find_map(|written| match written.fact {
            Fact::Hold { parts, .. } => Some(parts),
            _ => None,
        });
        if hold.is_some() {
            return Ok(hold);
        }
    }
}

/// One entry of a statement, with the title and the start of its booking.
fn movement(store: &dyn Store, written: &Written) -> Result<EntryView, Refusal> {
    let mut view = facts::entry(written);
    let Some(Ok(uid)) = view.booking.as_deref().map(BookingUid::parse) else {
        return Ok(view);
    };
    let failed = |error: StoreError| parse::store_failed(&error);
    if let Some(charge) = store.charge(&uid).map_err(failed)? {
        view.start = Some(views::time(charge.start));
        let request = store.request(&charge.request).map_err(failed)?;
        view.title = request.map(|request| request.title);
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::answer::make::{decide, give, noted, now, store, write};
    use crate::domain::booking::BookingRef;
    use crate::domain::decision::{Decision, Outcome};
    use crate::domain::id::Reference;
    use crate::domain::request::{CallKind, RequestState};
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    const BO: &str = "bo@example.com";

    fn parts(of: &[(&str, u64)]) -> Vec<Part> {
        let part = |(grant, credits): &(&str, u64)| Part {
            grant: Reference::parse(grant).unwrap(),
            credits: *credits,
        };
        of.iter().map(part).collect()
    }

    fn back(of: &[(&str, u64)], restored: Option<&str>) -> Vec<Back> {
        let back = |part: Part| Back {
            grant: part.grant,
            credits: part.credits,
            restored: restored.map(|name| {
                let until = now() + Span::days(14);
                (Reference::parse(name).unwrap(), until)
            }),
        };
        parts(of).into_iter().map(back).collect()
    }

    fn hold(store: &mut MemoryStore, name: &str, paid: &[(&str, u64)]) -> BookingUid {
        let request = noted(name);
        let (id, booking) = (request.id.clone(), request.bookings[0].clone());
        decide(
            store,
            crate::domain::request::Request {
                decision: Decision::Confirm,
                call: Some(CallKind::Confirm),
                state: RequestState::Recorded,
                ..request
            },
        );
        let uid = booking.uid.clone();
        write(
            store,
            vec![Fact::Hold {
                booking: BookingRef { ..booking },
                request: id,
                account: AccountId::parse(BO).unwrap(),
                parts: parts(paid),
                event_type: None,
                host: None,
                start: now() + Span::hours(24),
                end: now() + Span::hours(25),
                terms: None,
            }],
        );
        uid
    }

    fn end(store: &mut MemoryStore, uid: &BookingUid, fact: Fact, outcome: Outcome) {
        let request = crate::domain::id::RequestId::from(uid);
        write(store, vec![fact, Fact::Settled { request, outcome }]);
    }

    fn balances(store: &MemoryStore) -> Vec<u64> {
        let Answer::Statement(view) = statement(store, now(), BO, 1_000).unwrap() else {
            panic!("a statement");
        };
        let all = view.entries.iter().map(|entry| entry.balance.unwrap());
        all.collect()
    }

    /// Every kind of entry that moves credits: what a later statement shows as the balance after it is
    /// what was there then.
    #[test]
    fn a_statement_has_the_balance_after_each_entry() {
        let mut store = store(5);
        // The balances that stood, and how many entries there were then.
        let mut seen = Vec::new();
        let mut note = |store: &MemoryStore| {
            let account = parse::account(store, BO).unwrap();
            let left = account.lots.iter().map(|lot| lot.left).sum::<u64>();
            let all = balances(store);
            assert_eq!(all[0], left);
            seen.push((all.len(), left));
        };
        note(&store);
        give(&mut store, BO, 3, "g2");
        note(&store);
        let posted = hold(&mut store, "posted", &[("g1", 5), ("g2", 1)]);
        note(&store);
        let post = Fact::Post {
            booking: posted.clone(),
        };
        end(&mut store, &posted, post, Outcome::Confirmed);
        note(&store);
        for (name, restored) in [("void", None), ("void-late", Some("back:1"))] {
            let uid = hold(&mut store, name, &[("g2", 2)]);
            note(&store);
            let void = Fact::Void {
                booking: uid.clone(),
                reason: "gone".into(),
                back: restored.map_or(Vec::new(), |name| back(&[("g2", 2)], Some(name))),
            };
            end(&mut store, &uid, void, Outcome::Superseded);
            note(&store);
        }
        let refund = |of: &[(&str, u64)], restored, close| Fact::Refund {
            booking: posted.clone(),
            parts: back(of, restored),
            close,
            reason: "cancelled".into(),
        };
        write(&mut store, vec![refund(&[("g1", 2)], None, false)]);
        note(&store);
        write(&mut store, vec![refund(&[("g1", 3)], Some("back:2"), true)]);
        note(&store);
        let account = AccountId::parse(BO).unwrap();
        let grant = Fact::Grant {
            reference: Reference::parse("g3").unwrap(),
            account: account.clone(),
            credits: 4,
            expires: Some(now() + Span::hours(1)),
            reason: "a trial".to_owned(),
        };
        write(&mut store, vec![grant]);
        note(&store);
        let expire = Fact::Expire {
            account: account.clone(),
            part: parts(&[("g3", 4)]).remove(0),
        };
        store
            .commit(now() + Span::hours(2), vec![expire], &[])
            .unwrap();
        note(&store);
        let revoke = Fact::Revoke {
            reference: Reference::parse("r1").unwrap(),
            account,
            parts: parts(&[("g1", 1)]),
            reason: "left".to_owned(),
        };
        write(&mut store, vec![revoke]);
        note(&store);
        let last = balances(&store);
        for (entries, left) in seen {
            assert_eq!(last[last.len() - entries], left, "after {entries} entries");
        }
    }
}

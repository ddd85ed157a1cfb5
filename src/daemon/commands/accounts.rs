//! The commands that show accounts and what became of their credits.

use super::parse;
use crate::control::protocol::account::{AccountsView, EntryView, StatementView};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::account::{Account, LotPart, sum_credits};
use crate::domain::decision::Credits;
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart};
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::time::Time;
use crate::store::port::{HistorySubject, LoggedFact, Store, StoreError};

/// Most accounts in one answer.
const MAX_ACCOUNTS: u32 = 100_000;

/// Accounts that a search reads in one page.
const SEARCH_PAGE: u32 = 1_000;

/// Most entries in one statement.
const MAX_ENTRIES: u32 = 100_000;

/// Returns one account with its balance at `now`.
///
/// # Errors
/// Fails when there is no such account, and when the store cannot be read.
pub fn show(store: &dyn Store, now: Time, account: &str) -> Result<CommandResult, Refusal> {
    let account = parse::find_account(store, account)?;
    Ok(CommandResult::Account(views::account(&account, now)))
}

/// Returns a page of at most `limit` accounts after the account `after`, and with `search` only
/// accounts with this text in their name or in an alias.
///
/// # Errors
/// Fails when `after` is no name of an account, and when the store cannot be read.
pub fn list(
    store: &dyn Store,
    now: Time,
    after: Option<&str>,
    limit: u32,
    search: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let (accounts, next) = match search {
        None => read_page(store, after, limit)?,
        Some(text) => search_accounts(store, after, limit, text)?,
    };
    Ok(CommandResult::Accounts(AccountsView {
        schema: SCHEMA,
        accounts: accounts
            .iter()
            .map(|account| views::account(account, now))
            .collect(),
        next,
    }))
}

/// Returns accounts in order of their names, and the name to continue after when there are more.
pub(super) fn read_page(
    store: &dyn Store,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Account>, Option<String>), Refusal> {
    let after = after
        .map(AccountId::parse)
        .transpose()
        .map_err(|why| parse::usage(format!("the account to continue after {why}")))?;
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

/// Does the same as [`read_page`] for the accounts with this text in their name or in an alias. The
/// search ignores case.
fn search_accounts(
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
        let (read, next) = read_page(store, after.as_deref(), SEARCH_PAGE)?;
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

/// Returns the newest entries of an account with their balances, at most `limit`, or those after the
/// place that an earlier answer named: the number of a commit, and the balance before it.
///
/// # Errors
/// Fails when there is no such account, and when the store cannot be read.
pub fn statement(
    store: &dyn Store,
    now: Time,
    account: &str,
    limit: u32,
    after: Option<&str>,
) -> Result<CommandResult, Refusal> {
    let account = parse::find_account(store, account)?;
    let limit = usize::try_from(limit.clamp(1, MAX_ENTRIES)).unwrap_or(usize::MAX);
    let after = after.map(statement_place).transpose()?;
    let subject = HistorySubject::Account(account.id.clone());
    let before = after.map(|(seq, _)| seq);
    let entries = store
        .history(&subject, before, limit)
        .map_err(|e| parse::store_failed(&e))?;
    let mut views = Vec::with_capacity(entries.len());
    // Counts back from the current balance, because a statement shows the newest entries first.
    let mut balance = match after {
        Some((_, balance)) => balance,
        None => signed_balance(&account),
    };
    for written in &entries {
        let mut view = statement_entry(store, written)?;
        view.balance = i64::try_from(balance).ok();
        views.push(view);
        balance -= balance_change(store, &account.id, written)?;
    }
    let last = entries.last().filter(|_| entries.len() >= limit);
    let older = |last: &LoggedFact| {
        let older = store.history(&subject, Some(last.seq), 1);
        Ok::<_, Refusal>(!older.map_err(|e| parse::store_failed(&e))?.is_empty())
    };
    let next = match last {
        Some(last) if older(last)? => Some(format!("{}/{balance}", last.seq)),
        Some(_) | None => None,
    };
    Ok(CommandResult::Statement(StatementView {
        schema: SCHEMA,
        account: account.id.to_string(),
        entries: views,
        next,
        balance: views::account(&account, now),
    }))
}

/// Returns the number of a commit, and the balance before it.
fn statement_place(text: &str) -> Result<(u64, i128), Refusal> {
    let (seq, balance) = parse::place(text)?;
    match (seq.parse(), balance.parse()) {
        (Ok(seq), Ok(balance)) => Ok((seq, balance)),
        _ => Err(parse::unusable_place(text)),
    }
}

/// Returns the balance that a statement shows: what is in the lots, less what was lent and is not
/// settled.
fn signed_balance(account: &Account) -> i128 {
    let remaining: Credits = account.lots.iter().map(|lot| lot.remaining).sum();
    i128::from(remaining) - i128::from(account.totals.debt())
}

/// Returns by how much an entry raised the balance of this account.
fn balance_change(
    store: &dyn Store,
    account: &AccountId,
    written: &LoggedFact,
) -> Result<i128, Refusal> {
    // What an account passes on, another one receives.
    let passed_on = |credits: i128, receiver: &AccountId| {
        if receiver == account {
            credits
        } else {
            -credits
        }
    };
    let credits_in = |parts: &[LotPart]| i128::from(sum_credits(parts));
    let refunded_credits =
        |parts: &[RefundPart]| parts.iter().map(|part| i128::from(part.credits)).sum();
    Ok(match &written.fact {
        Fact::Credit(CreditFact::Grant { credits, .. }) => i128::from(*credits),
        Fact::Credit(CreditFact::Revoke { parts, .. }) => -credits_in(parts),
        Fact::Credit(CreditFact::Transfer { to, parts, .. }) => passed_on(credits_in(parts), to),
        Fact::Account(AccountFact::Merged { into, credits, .. }) => {
            passed_on(i128::from(*credits), into)
        }
        Fact::Charge(ChargeFact::Hold { parts, lent, .. }) => {
            -credits_in(parts) - i128::from(*lent)
        }
        Fact::Credit(CreditFact::Expire { part, .. }) => -i128::from(part.credits),
        Fact::Charge(ChargeFact::Refund { parts, .. }) => refunded_credits(parts),
        // A void that names no lots returns everything that was held to the lots that paid.
        Fact::Charge(ChargeFact::Void {
            booking,
            refund_parts: back,
            ..
        }) if back.is_empty() => find_held_credits(store, booking, written.seq)?,
        Fact::Charge(ChargeFact::Void {
            refund_parts: back, ..
        }) => refunded_credits(back),
        Fact::Account(_)
        | Fact::Charge(
            ChargeFact::Post { .. } | ChargeFact::Move { .. } | ChargeFact::Closed { .. },
        )
        | Fact::Request(_)
        | Fact::Unresolved(_)
        | Fact::Ledger(_)
        | Fact::By(_) => 0,
    })
}

/// Entries of a booking that are read in one page: a hold comes right before the entry that ends
/// it.
const HOLD_LOOKBACK: usize = 16;

/// Returns what was held most recently for the booking before this commit.
fn find_held_credits(
    store: &dyn Store,
    booking: &BookingUid,
    before: u64,
) -> Result<i128, Refusal> {
    let subject = HistorySubject::Booking(booking.clone());
    let mut before = Some(before);
    loop {
        let entries = store.history(&subject, before, HOLD_LOOKBACK);
        let entries = entries.map_err(|e| parse::store_failed(&e))?;
        let Some(last) = entries.last() else {
            return Ok(0);
        };
        before = Some(last.seq);
        let hold = entries.into_iter().find_map(|written| match written.fact {
            Fact::Charge(ChargeFact::Hold { parts, lent, .. }) => {
                Some(i128::from(sum_credits(&parts)) + i128::from(lent))
            }
            _ => None,
        });
        if let Some(credits) = hold {
            return Ok(credits);
        }
    }
}

/// Builds one entry of a statement, with the title and the start of its booking.
fn statement_entry(store: &dyn Store, written: &LoggedFact) -> Result<EntryView, Refusal> {
    let mut view = facts::entry(written);
    let Some(Ok(uid)) = view.booking.as_deref().map(BookingUid::parse) else {
        return Ok(view);
    };
    let failed = |error: StoreError| parse::store_failed(&error);
    if let Some(charge) = store.charge(&uid).map_err(failed)? {
        view.start = Some(views::format_time(charge.start));
        let request = store.request(&charge.request).map_err(failed)?;
        view.title = request.map(|request| request.title);
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::commands::test_fixtures::{
        commit_facts, grant_credits, noted_request, now, record_decision, store_with_credits,
    };
    use crate::domain::booking::BookingRef;
    use crate::domain::decision::{Decision, DecisionOutcome};
    use crate::domain::fact::RequestFact;
    use crate::domain::id::Reference;
    use crate::domain::request::{CallKind, RequestState};
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    const BO: &str = "bo@example.com";

    fn parts(of: &[(&str, u64)]) -> Vec<LotPart> {
        let part = |(grant, credits): &(&str, u64)| LotPart {
            grant: Reference::parse(grant).unwrap(),
            credits: *credits,
        };
        of.iter().map(part).collect()
    }

    fn refund_parts(of: &[(&str, u64)], restored: Option<&str>) -> Vec<RefundPart> {
        let back = |part: LotPart| RefundPart {
            grant: part.grant,
            credits: part.credits,
            replacement_lot: restored.map(|name| {
                let until = now() + Span::days(14);
                (Reference::parse(name).unwrap(), until)
            }),
        };
        parts(of).into_iter().map(back).collect()
    }

    fn hold_credits(store: &mut MemoryStore, name: &str, paid: &[(&str, u64)]) -> BookingUid {
        let request = noted_request(name);
        let (id, booking) = (request.id.clone(), request.bookings[0].clone());
        record_decision(
            store,
            crate::domain::request::Request {
                decision: Decision::Confirm,
                call: Some(CallKind::Confirm),
                state: RequestState::Recorded,
                ..request
            },
        );
        let uid = booking.uid.clone();
        commit_facts(
            store,
            vec![Fact::Charge(ChargeFact::Hold {
                lent: 0,
                booking: BookingRef { ..booking },
                request: id,
                account: AccountId::parse(BO).unwrap(),
                parts: parts(paid),
                event_type: None,
                host: None,
                start: now() + Span::hours(24),
                end: now() + Span::hours(25),
                terms: None,
            })],
        );
        uid
    }

    fn settle(store: &mut MemoryStore, uid: &BookingUid, fact: Fact, outcome: DecisionOutcome) {
        let request = crate::domain::id::RequestId::from(uid);
        commit_facts(
            store,
            vec![
                fact,
                Fact::Request(RequestFact::IntentSettled { request, outcome }),
            ],
        );
    }

    fn balances(store: &MemoryStore) -> Vec<i64> {
        let page = |limit: u32, after: Option<&str>| {
            let page = statement(store, now(), BO, limit, after);
            let CommandResult::Statement(view) = page.unwrap() else {
                panic!("a statement");
            };
            let balances = view.entries.iter().map(|entry| entry.balance.unwrap());
            (balances.collect::<Vec<i64>>(), view.next)
        };
        let (all, next) = page(1_000, None);
        assert_eq!(next, None);
        // The balances are the same when the statement is read page by page.
        let (mut pages, mut next) = page(1, None);
        while let Some(after) = next {
            let (balances, following) = page(1, Some(&after));
            pages.extend(balances);
            next = following;
        }
        assert_eq!(pages, all);
        all
    }

    /// Covers every kind of entry that moves credits: the balance that a later statement shows
    /// after an entry is the balance that was there at that time.
    #[test]
    fn a_statement_has_the_balance_after_each_entry() {
        let mut store = store_with_credits(5);
        // The balances at each time, with the number of entries there were then.
        let mut recorded_balances = Vec::new();
        let mut record_balance = |store: &MemoryStore| {
            let account = parse::find_account(store, BO).unwrap();
            let left = account
                .lots
                .iter()
                .map(|lot| lot.remaining as i64)
                .sum::<i64>();
            let all = balances(store);
            assert_eq!(all[0], left);
            recorded_balances.push((all.len(), left));
        };
        record_balance(&store);
        grant_credits(&mut store, BO, 3, "g2");
        record_balance(&store);
        let posted = hold_credits(&mut store, "posted", &[("g1", 5), ("g2", 1)]);
        record_balance(&store);
        let post = Fact::Charge(ChargeFact::Post {
            booking: posted.clone(),
        });
        settle(&mut store, &posted, post, DecisionOutcome::Confirmed);
        record_balance(&store);
        for (name, restored) in [("void", None), ("void-late", Some("back:1"))] {
            let uid = hold_credits(&mut store, name, &[("g2", 2)]);
            record_balance(&store);
            let void = Fact::Charge(ChargeFact::Void {
                booking: uid.clone(),
                reason: "gone".into(),
                refund_parts: restored
                    .map_or(Vec::new(), |name| refund_parts(&[("g2", 2)], Some(name))),
            });
            settle(&mut store, &uid, void, DecisionOutcome::Superseded);
            record_balance(&store);
        }
        let refund = |of: &[(&str, u64)], restored, close| {
            Fact::Charge(ChargeFact::Refund {
                booking: posted.clone(),
                parts: refund_parts(of, restored),
                close,
                reason: "cancelled".into(),
            })
        };
        commit_facts(&mut store, vec![refund(&[("g1", 2)], None, false)]);
        record_balance(&store);
        commit_facts(&mut store, vec![refund(&[("g1", 3)], Some("back:2"), true)]);
        record_balance(&store);
        let account = AccountId::parse(BO).unwrap();
        let grant = Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse("g3").unwrap(),
            account: account.clone(),
            credits: 4,
            expires: Some(now() + Span::hours(1)),
            reason: "a trial".to_owned(),
        });
        commit_facts(&mut store, vec![grant]);
        record_balance(&store);
        let expire = Fact::Credit(CreditFact::Expire {
            account: account.clone(),
            part: parts(&[("g3", 4)]).remove(0),
        });
        store
            .commit(now() + Span::hours(2), vec![expire], &[])
            .unwrap();
        record_balance(&store);
        let revoke = Fact::Credit(CreditFact::Revoke {
            reference: Reference::parse("r1").unwrap(),
            account,
            parts: parts(&[("g1", 1)]),
            reason: "left".to_owned(),
        });
        commit_facts(&mut store, vec![revoke]);
        record_balance(&store);
        let last = balances(&store);
        for (entries, left) in recorded_balances {
            assert_eq!(last[last.len() - entries], left, "after {entries} entries");
        }
    }
}

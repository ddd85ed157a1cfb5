//! The command that shows what became of an account's credits: the newest entries page by page, or
//! those of a period with the balances at its beginning and its end.

use std::collections::BTreeMap;

use super::parse;
use crate::control::protocol::account::{
    EntryView, ExpiringView, OpenHoldView, StatementPeriodView, StatementView,
};
use crate::control::protocol::{CommandResult, Refusal, SCHEMA};
use crate::daemon::views::{self, facts};
use crate::domain::account::{Account, LotPart, sum_credits};
use crate::domain::credit_flows::credits_in_lots;
use crate::domain::decision::Credits;
use crate::domain::fact::{AccountFact, ChargeFact, CreditFact, Fact, RefundPart};
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::request::{Charge, ChargeState};
use crate::domain::time::{Span, Time};
use crate::store::port::{HistorySubject, LoggedFact, Store, StoreError};

/// Most entries in one page of a statement.
const MAX_ENTRIES: u32 = 100_000;

/// Most entries in the statement of a period: with long reasons, the answer still fits.
const MAX_PERIOD_ENTRIES: usize = 50_000;

/// Entries that are read at once.
const PERIOD_PAGE: usize = 1_000;

/// How long before their expiry credits are shown as expiring soon.
const EXPIRING_SOON: Span = Span::days(30);

/// Most charges that are looked through for open holds.
const MAX_CHARGES: usize = 10_000;

/// How long ago the bookings of open holds usually start at the earliest.
const RECENT_START: Span = Span::days(7);

/// What a statement shows.
#[derive(Debug, Clone, Copy)]
pub struct StatementQuery<'a> {
    /// The account's name, or an alias.
    pub account: &'a str,
    /// Most entries of one page.
    pub limit: u32,
    /// The place that an earlier answer named: the number of a commit, and the balance before it.
    pub after: Option<&'a str>,
    /// The beginning of the period, RFC 3339.
    pub from: Option<&'a str>,
    /// The end of the period, RFC 3339. The period does not contain it.
    pub to: Option<&'a str>,
}

/// Returns the newest entries of an account with their balances, or those of a period in order of
/// time.
///
/// # Errors
/// Fails when there is no such account, when the period ends before it begins or has too many
/// entries, and when the store cannot be read.
pub fn show(
    store: &dyn Store,
    now: Time,
    query: StatementQuery<'_>,
) -> Result<CommandResult, Refusal> {
    let account = parse::find_account_itself(store, query.account)?;
    let mut view = StatementView {
        schema: SCHEMA,
        account: account.id.to_string(),
        period: None,
        entries: Vec::new(),
        next: None,
        holds: open_holds(store, &account, now)?,
        expiring: expiring_soon(&account, now),
        balance: views::account(&account, now),
    };
    if query.from.is_none() && query.to.is_none() {
        fill_page(store, &account, query, &mut view)?;
        return Ok(CommandResult::Statement(view));
    }
    if query.after.is_some() {
        return Err(parse::usage(
            "the statement of a period has all entries at once: leave out `after`",
        ));
    }
    let instant = |name: &str, text: Option<&str>| text.map(|text| parse::time(name, text));
    let from = instant("the beginning of the period", query.from).transpose()?;
    let to = instant("the end of the period", query.to).transpose()?;
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return Err(parse::usage(format!(
            "the period ends at {} and begins at {}; its end comes after its beginning",
            views::format_time(to),
            views::format_time(from)
        )));
    }
    fill_period(store, &account, (from, to), &mut view)?;
    Ok(CommandResult::Statement(view))
}

/// Adds the newest entries, or those after the place of the query.
fn fill_page(
    store: &dyn Store,
    account: &Account,
    query: StatementQuery<'_>,
    view: &mut StatementView,
) -> Result<(), Refusal> {
    let limit = usize::try_from(query.limit.clamp(1, MAX_ENTRIES)).unwrap_or(usize::MAX);
    let after = query.after.map(statement_place).transpose()?;
    let subject = HistorySubject::Account(account.id.clone());
    let before = after.map(|(seq, _)| seq);
    let entries = store
        .history(&subject, before, limit)
        .map_err(|e| parse::store_failed(&e))?;
    // Counts back from the current balance, because a statement shows the newest entries first.
    let mut balance = match after {
        Some((_, balance)) => balance,
        None => signed_balance(account),
    };
    for written in &entries {
        let change = balance_change(store, &account.id, written)?;
        let entry = statement_entry(store, written, balance, change)?;
        view.entries.push(entry);
        balance -= change;
    }
    let last = entries.last().filter(|_| entries.len() >= limit);
    let older = |last: &LoggedFact| {
        let older = store.history(&subject, Some(last.seq), 1);
        Ok::<_, Refusal>(!older.map_err(|e| parse::store_failed(&e))?.is_empty())
    };
    view.next = match last {
        Some(last) if older(last)? => Some(format!("{}/{balance}", last.seq)),
        Some(_) | None => None,
    };
    Ok(())
}

/// Adds the entries of a period, oldest first, with the balances at its beginning and its end. The
/// account's entries since the beginning of the period are read. Entries are in the order of the log:
/// if the clock was set back, the period begins and ends with the first entry outside of the period.
fn fill_period(
    store: &dyn Store,
    account: &Account,
    (from, to): (Option<Time>, Option<Time>),
    view: &mut StatementView,
) -> Result<(), Refusal> {
    let subject = HistorySubject::Account(account.id.clone());
    let mut balance = signed_balance(account);
    let mut closing = None;
    let mut before = None;
    'pages: loop {
        let page = store.history(&subject, before, PERIOD_PAGE);
        let page = page.map_err(|e| parse::store_failed(&e))?;
        let Some(last) = page.last() else { break };
        before = Some(last.seq);
        for written in &page {
            if closing.is_none() && to.is_none_or(|to| written.at < to) {
                closing = Some(balance);
            }
            if closing.is_some() && from.is_some_and(|from| written.at < from) {
                break 'pages;
            }
            let change = balance_change(store, &account.id, written)?;
            if closing.is_some() {
                if view.entries.len() >= MAX_PERIOD_ENTRIES {
                    return Err(parse::usage(format!(
                        "the period has more than {MAX_PERIOD_ENTRIES} entries; name a shorter one"
                    )));
                }
                let entry = statement_entry(store, written, balance, change)?;
                view.entries.push(entry);
            }
            balance -= change;
        }
    }
    view.entries.reverse();
    let changes = || view.entries.iter().filter_map(|entry| entry.change);
    view.period = Some(StatementPeriodView {
        from: from.map(views::format_time),
        to: to.map(views::format_time),
        opening: to_signed(balance),
        came_in: changes().filter(|change| *change > 0).sum(),
        went_out: -changes().filter(|change| *change < 0).sum::<i64>(),
        closing: to_signed(closing.unwrap_or(balance)),
    });
    Ok(())
}

fn to_signed(balance: i128) -> i64 {
    i64::try_from(balance).unwrap_or(i64::MAX)
}

/// Returns the holds of the account that are open now.
fn open_holds(
    store: &dyn Store,
    account: &Account,
    now: Time,
) -> Result<Vec<OpenHoldView>, Refusal> {
    if account.totals.held == 0 {
        return Ok(Vec::new());
    }
    let failed = |error: StoreError| parse::store_failed(&error);
    let mut held: Vec<Charge> = Vec::new();
    // Most holds are for bookings to come. Older charges are only read if credits are missing.
    for from in [now - RECENT_START, Time::UNIX_EPOCH] {
        let charges = store.charges_of(&account.id, from, Time::MAX_UTC, MAX_CHARGES);
        let is_held = |charge: &Charge| charge.state == ChargeState::Held;
        held = { charges.map_err(failed)?.into_iter() }
            .filter(is_held)
            .collect();
        if held.iter().map(Charge::credits).sum::<Credits>() >= account.totals.held {
            break;
        }
    }
    let view = |charge: Charge| {
        let request = store.request(&charge.request).map_err(failed)?;
        Ok(OpenHoldView {
            booking: charge.booking.uid.to_string(),
            title: request.map(|request| request.title),
            start: views::format_time(charge.start),
            credits: charge.credits(),
            since: views::format_time(charge.held_at),
        })
    };
    held.into_iter().map(view).collect()
}

/// Returns the credits that can be spent now and expire soon, by the instant of their expiry.
fn expiring_soon(account: &Account, now: Time) -> Vec<ExpiringView> {
    let clock = account.lot_clock(now);
    let mut expiring: BTreeMap<Time, Credits> = BTreeMap::new();
    for lot in account.lots.iter().filter(|lot| lot.is_spendable(clock)) {
        if let Some(at) = lot.expires.filter(|at| *at <= clock + EXPIRING_SOON) {
            *expiring.entry(at).or_default() += lot.remaining;
        }
    }
    // While no lot of a frozen account expires, nothing expires soon.
    if account.expiry_stopped_at.is_some() {
        expiring.clear();
    }
    { expiring.into_iter() }
        .map(|(at, credits)| ExpiringView {
            credits,
            expires: views::format_time(at),
        })
        .collect()
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
    i128::from(credits_in_lots(account)) - i128::from(account.totals.debt())
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
fn statement_entry(
    store: &dyn Store,
    written: &LoggedFact,
    balance: i128,
    change: i128,
) -> Result<EntryView, Refusal> {
    let mut view = facts::entry(written);
    view.balance = i64::try_from(balance).ok();
    view.change = i64::try_from(change).ok();
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
            let page = show(
                store,
                now(),
                StatementQuery {
                    account: BO,
                    limit,
                    after,
                    from: None,
                    to: None,
                },
            );
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

    fn period(store: &MemoryStore, from: Option<&str>, to: Option<&str>) -> StatementView {
        let query = StatementQuery {
            account: BO,
            limit: 1,
            after: None,
            from,
            to,
        };
        let CommandResult::Statement(view) = show(store, now(), query).unwrap() else {
            panic!("a statement");
        };
        view
    }

    #[test]
    fn a_period_has_its_entries_oldest_first_and_adds_up() {
        let mut store = MemoryStore::new();
        let account = AccountId::parse(BO).unwrap();
        let grant = |name: &str, credits| {
            Fact::Credit(CreditFact::Grant {
                terms: Default::default(),
                reference: Reference::parse(name).unwrap(),
                account: account.clone(),
                credits,
                expires: None,
                reason: "dues".to_owned(),
            })
        };
        let revoke = Fact::Credit(CreditFact::Revoke {
            reference: Reference::parse("r").unwrap(),
            account: account.clone(),
            parts: parts(&[("g1", 2)]),
            reason: "left".to_owned(),
        });
        for (day, fact) in [
            ("10", grant("g1", 5)),
            ("12", grant("g2", 3)),
            ("20", revoke),
            ("25", grant("g3", 1)),
        ] {
            let at: Time = format!("2026-11-{day}T00:00:00Z").parse().unwrap();
            store.commit(at, vec![fact], &[]).unwrap();
        }
        let day = |day: &str| format!("2026-11-{day}T00:00:00Z");
        type Row = (
            Option<&'static str>,
            Option<&'static str>,
            i64,
            &'static [i64],
            i64,
        );
        // The end is not part of the period.
        let rows: [Row; 7] = [
            (None, Some("26"), 0, &[5, 3, -2, 1], 7),
            (Some("12"), Some("25"), 5, &[3, -2], 6),
            (Some("12"), None, 5, &[3, -2, 1], 7),
            (Some("11"), Some("20"), 5, &[3], 8),
            (Some("13"), Some("20"), 8, &[], 8),
            (Some("26"), None, 7, &[], 7),
            (None, Some("10"), 0, &[], 0),
        ];
        for (from, to, opening, changes, closing) in rows {
            let (from, to) = (from.map(day), to.map(day));
            let view = period(&store, from.as_deref(), to.as_deref());
            let shown = view.period.unwrap();
            let found: Vec<i64> = { view.entries.iter() }
                .map(|entry| entry.change.unwrap())
                .filter(|change| *change != 0)
                .collect();
            assert_eq!(found, changes, "{from:?} {to:?}");
            assert_eq!(
                (shown.opening, shown.closing),
                (opening, closing),
                "{from:?} {to:?}"
            );
            assert_eq!(
                shown.opening + shown.came_in - shown.went_out,
                shown.closing
            );
            if let Some(last) = view.entries.last() {
                assert_eq!(last.balance, Some(closing));
            }
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let store = store_with_credits(1);
        let rows = [
            (
                Some("2026-11-02T00:00:00Z"),
                Some("2026-11-02T00:00:00Z"),
                None,
            ),
            (Some("yesterday"), None, None),
            (Some("2026-11-02T00:00:00Z"), None, Some("1/1")),
        ];
        for (from, to, after) in rows {
            let query = StatementQuery {
                account: BO,
                limit: 1,
                after,
                from,
                to,
            };
            assert_eq!(show(&store, now(), query).unwrap_err().code, "usage");
        }
    }

    #[test]
    fn open_holds_and_credits_that_expire_soon_are_shown() {
        let mut store = store_with_credits(5);
        let grant = Fact::Credit(CreditFact::Grant {
            terms: Default::default(),
            reference: Reference::parse("g9").unwrap(),
            account: AccountId::parse(BO).unwrap(),
            credits: 2,
            expires: Some(now() + Span::days(3)),
            reason: "a trial".to_owned(),
        });
        commit_facts(&mut store, vec![grant]);
        hold_credits(&mut store, "b1", &[("g1", 3)]);
        let view = period(&store, None, None);
        let expiring: Vec<u64> = view
            .expiring
            .iter()
            .map(|expiring| expiring.credits)
            .collect();
        assert_eq!(expiring, [2]);
        assert_eq!(view.holds.len(), 1);
        assert_eq!(view.holds[0].credits, 3);
        assert_eq!(view.holds[0].title.as_deref(), Some("Book club"));
        assert!(view.period.is_none());
    }
}

//! Checks and settles one charge in one transaction: if anything is written between reading the
//! charge and committing its end, the charge is read and decided again.

use std::collections::BTreeMap;

use super::accepted_move::was_moved_by_booker;
use super::refund_records::{count_forgiven, restore_expired_in_decision};
use super::reschedule_chain::RescheduleChain;
use super::unresolved_list::UnresolvedFinding;
use super::{RecordedChange, WatchReport};
use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingRef};
use crate::domain::decision::{Credits, Decision};
use crate::domain::fact::{Fact, UnresolvedFact};
use crate::domain::gate::{Gate, Policy, PriceInput};
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::refund_policy::AcceptedMove;
use crate::domain::request::{Charge, ChargeState, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{Resolver, UnresolvedBooking, UnresolvedCode};
use crate::domain::watch::{
    ChainEnd, ChargeCase, ChargeDecision, ChargeOutcome, MAX_CHAIN, final_at, watch_charge,
};
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::store_reads::find_request;
use crate::store::port::{CommitError, Store, StoreError};

/// Returns the charges whose time for changes is over.
pub(super) fn filter_due(
    store: &dyn Store,
    policy: &Policy,
    past_charges: Vec<Charge>,
    now: Time,
) -> Result<Vec<Charge>, StoreError> {
    let mut due = Vec::new();
    for charge in past_charges {
        let gate_name = deciding_gate(store, &charge)?;
        let gate = policy.gate_for_charge(&charge, gate_name.as_deref());
        let terms = charge.refund_terms(gate.map(|gate| &gate.terms.refunds));
        let is_due = final_at(charge.end, &terms) <= now;
        if is_due {
            due.push(charge);
        }
    }
    Ok(due)
}

/// Returns the gate that decided about the charge, even if the charge has moved since.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn deciding_gate(store: &dyn Store, charge: &Charge) -> Result<Option<String>, StoreError> {
    let mut charge = charge.clone();
    for _ in 0..MAX_CHAIN {
        if let Some(request) = store.request(&charge.request)?
            && request.gate.is_some()
        {
            return Ok(request.gate);
        }
        let Some(from) = &charge.moved_from else {
            return Ok(None);
        };
        match store.charge(from)? {
            Some(earlier) => charge = earlier,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Decides about one charge and writes the decision down.
pub(super) async fn settle(
    ports: &Ports<'_>,
    policy: &Policy,
    charge: &Charge,
    chain: RescheduleChain,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let uid = charge.booking.uid.clone();
    let policy = policy.clone();
    let settlement = ports
        .store
        .transaction(now, move |store| {
            settle_charge(store, &policy, &uid, &chain, now)
        })
        .await;
    let settlement = match settlement {
        // A charge that cannot be settled must not block the others.
        Err(PassError::Commit(CommitError::Violation(why))) => {
            let text = format!(
                "the state of booking {} could not be recorded: {why}",
                charge.booking.uid
            );
            let code = "watch-failed";
            report.problems.push(Problem { code, text });
            None
        }
        result => result?,
    };
    let Some((account, decision)) = settlement else {
        return Ok(());
    };
    match decision {
        ChargeDecision::Open {
            reason: why,
            problem,
            ..
        } => {
            tracing::debug!(booking = %charge.booking.uid, why, "the charge stays open");
            report.problems.extend(problem);
        }
        ChargeDecision::Write {
            outcome: what,
            text,
            problem,
            ..
        } => {
            report.problems.extend(problem);
            report.record(RecordedChange {
                booking: charge.booking.uid.clone(),
                account: Some(account),
                outcome: what,
                text,
            });
        }
    }
    Ok(())
}

/// What is to be written about a charge; `None` if it is not open any more.
type Settlement = (Vec<Fact>, Option<(AccountId, ChargeDecision)>);

fn settle_charge(
    store: &dyn Store,
    policy: &Policy,
    uid: &BookingUid,
    chain: &RescheduleChain,
    now: Time,
) -> Result<Settlement, PassError> {
    let charge = store.charge(uid).map_err(PassError::Store)?;
    let Some(charge) = charge.filter(|charge| charge.state == ChargeState::Open) else {
        return Ok((Vec::new(), None));
    };
    let decision = decide_charge(store, policy, &charge, chain, now).map_err(PassError::Store)?;
    let Some(decision) = decision else {
        return Ok((Vec::new(), None));
    };
    let listed_booking = booking_to_list(&charge, chain, &decision);
    let items = store
        .unresolved_items_of(&listed_booking.uid)
        .map_err(PassError::Store)?;
    let mut facts = match &decision {
        ChargeDecision::Open {
            reason: why,
            unresolved_code: Some(code),
            ..
        } => match items.iter().find(|item| item.code == *code) {
            // An operator knows about this item.
            Some(item) if item.is_open() || item.is_resolved_by_operator() => {
                return Ok((
                    Vec::new(),
                    Some((charge.account, without_problem(decision))),
                ));
            }
            Some(_) | None => vec![Fact::Unresolved(UnresolvedFact::Listed {
                booking: listed_booking,
                code: *code,
                account: Some(charge.account.clone()),
                until: None,
                detail: why.clone(),
            })],
        },
        ChargeDecision::Open {
            unresolved_code: None,
            ..
        } => return Ok((Vec::new(), Some((charge.account, decision)))),
        ChargeDecision::Write { facts, .. } => facts.clone(),
    };
    if let ChargeDecision::Write {
        text,
        outcome: what,
        ..
    } = &decision
    {
        facts.extend(resolve_host_absent(&items, text, Resolver::Watch));
        if *what == ChargeOutcome::Moved {
            let move_fact = accepted_move_fact(store, policy, &charge, chain, now);
            facts.extend(move_fact.map_err(PassError::Store)?);
        }
    }
    Ok((facts, Some((charge.account, decision))))
}

/// Returns the booking that an item is about: the last booking of the chain if its status is
/// unknown, otherwise the charged booking.
fn booking_to_list(
    charge: &Charge,
    chain: &RescheduleChain,
    decision: &ChargeDecision,
) -> BookingRef {
    let is_about_last = matches!(
        decision,
        ChargeDecision::Open {
            unresolved_code: Some(UnresolvedCode::UnknownStatus),
            ..
        }
    );
    let last = chain.bookings.last().filter(|_| is_about_last);
    last.map_or_else(|| charge.booking.clone(), Booking::to_ref)
}

fn without_problem(decision: ChargeDecision) -> ChargeDecision {
    match decision {
        ChargeDecision::Open {
            reason: why,
            unresolved_code: lists,
            ..
        } => ChargeDecision::Open {
            reason: why,
            problem: None,
            unresolved_code: lists,
        },
        write @ ChargeDecision::Write { .. } => write,
    }
}

/// Returns the fact that takes the question whether an absent host gives the credits back off the
/// list, when its charge ends.
pub fn resolve_host_absent(items: &[UnresolvedBooking], why: &str, by: Resolver) -> Option<Fact> {
    let mut items = items.iter();
    let item = items.find(|item| item.code == UnresolvedCode::HostAbsent && item.is_open())?;
    Some(Fact::Unresolved(UnresolvedFact::Resolved {
        booking: item.booking.uid.clone(),
        code: item.code,
        reason: why.to_owned(),
        by,
    }))
}

/// Returns the fact that lists a booking to which the charge moves although no pass has evaluated
/// it: an operator may want to.
fn accepted_move_fact(
    store: &dyn Store,
    policy: &Policy,
    charge: &Charge,
    chain: &RescheduleChain,
    now: Time,
) -> Result<Option<Fact>, StoreError> {
    let Some(last) = chain
        .bookings
        .last()
        .filter(|last| was_moved_by_booker(policy, last))
    else {
        return Ok(None);
    };
    let gate = policy.gate(last);
    if gate.is_none_or(|gate| gate.terms.accepted_move != AcceptedMove::Carry)
        || find_request(store, &last.uid)?.is_some()
    {
        return Ok(None);
    }
    let detail = format!(
        "at once when {} was moved: no rule of its gate was evaluated, and the charge moved with \
         it",
        charge.booking.uid
    );
    let account = Some(charge.account.clone());
    let finding = UnresolvedFinding::new(last, UnresolvedCode::AcceptedMove, account, detail);
    let items = store.unresolved_items_of(&last.uid)?;
    Ok(finding.into_fact(&items, now))
}

fn decide_charge(
    store: &dyn Store,
    policy: &Policy,
    charge: &Charge,
    chain: &RescheduleChain,
    now: Time,
) -> Result<Option<ChargeDecision>, StoreError> {
    let Some(account) = store.account(&charge.account)? else {
        return Ok(None);
    };
    let gate_name = deciding_gate(store, charge)?;
    let gate = |booking: Option<&Booking>| booking.and_then(|booking| policy.gate(booking));
    let gate_of_decision = || policy.gate_for_charge(charge, gate_name.as_deref());
    let first_gate = gate(chain.bookings.first()).or_else(gate_of_decision);
    let last_gate = gate(chain.bookings.last()).or(first_gate);
    let terms = charge.refund_terms(first_gate.map(|gate| &gate.terms.refunds));
    // An occurrence costs what it does as one of its series.
    let occurrences = find_request(store, &charge.booking.uid)?
        .map_or(1, |request| request.bookings.len())
        .max(1);
    let last = chain.bookings.last().map(|last| &last.uid);
    let mut successor = None;
    let mut request = None;
    if let Some(last) = last {
        // This includes the charged booking itself: maitred may have cancelled it since.
        request = find_request(store, last)?;
        if *last != charge.booking.uid {
            successor = store.charge(last)?;
        }
    }
    let last_cost = cost_of_successor(
        policy,
        (last_gate, chain.bookings.last()),
        (&account, occurrences),
        request.as_ref(),
    );
    let forgiven_count = match chain.end {
        ChainEnd::Whole => count_forgiven(store, charge, &terms, now)?,
        ChainEnd::Gone | ChainEnd::Unread => 0,
    };
    let decision = watch_charge(&ChargeCase {
        charge,
        chain: &chain.bookings,
        chain_end: chain.end,
        terms: &terms,
        hosts: &policy.hosts,
        last_gate,
        last_cost,
        account: &account,
        forgiven_absences: forgiven_count,
        successor_charge: successor.as_ref(),
        is_taken_over: charge.taken_over_by.is_some(),
        last_request: request.as_ref(),
        now,
        policy_hash: &policy.hash,
    });
    let decision = restore_expired_in_decision(store, decision, &terms, now)?;
    Ok(Some(decision))
}

/// Returns what the last booking of a chain costs. What a decision recorded counts, whatever the
/// configuration says now. Without a decision, the price is that of the configuration. `None` when
/// no gate guards the booking, and when the price is not known: a watch asks no other systems.
fn cost_of_successor(
    policy: &Policy,
    (gate, last): (Option<&Gate>, Option<&Booking>),
    (account, occurrences): (&Account, usize),
    request: Option<&Request>,
) -> Option<Credits> {
    let last = last?;
    let is_confirmed_alone = |request: &&Request| {
        request.decision == Decision::Confirm
            && request.state != RequestState::Noted
            && matches!(request.bookings.as_slice(), [only] if only.uid == last.uid)
    };
    if let Some(decided) = request.filter(is_confirmed_alone) {
        return Some(decided.cost);
    }
    let price = gate?.price(&PriceInput {
        global: &policy.global,
        booking: last,
        account: Some(account),
        occurrences,
        lookups: &BTreeMap::new(),
        event_type: None,
    });
    price.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::criteria::gate_criteria::Criteria;
    use crate::domain::criteria::global_policy::GlobalPolicy;
    use crate::domain::criteria::on_violation::OnViolation;
    use crate::domain::criteria::price::Cost;
    use crate::domain::gate::{DeclineLimit, OnUnanswered, PassLimits, RefuseWith};
    use crate::domain::refund_policy::Terms;
    use crate::domain::time::Span;
    use crate::domain::watch::unmanaged_bookings::build_note;

    fn gate(cost: Cost) -> Gate {
        Gate {
            name: "club".to_owned(),
            event_types: Vec::new(),
            cost,
            unknown_booker: OnViolation::Decline,
            short_of_credit: OnViolation::Decline,
            time_taken: OnViolation::Decline,
            on_unanswered: OnUnanswered::Leave,
            criteria: Criteria::default(),
            terms: Terms::default(),
        }
    }

    fn policy() -> Policy {
        Policy {
            gates: Vec::new(),
            hosts: Vec::new(),
            refuse_with: RefuseWith::Decline,
            limits: PassLimits {
                requests_per_pass: 1,
                declines: DeclineLimit::UNLIMITED,
                max_observation_age: Span::seconds(10),
                series_settle: Span::seconds(10),
                resend_after: Span::minutes(15),
            },
            global: GlobalPolicy::default(),
            hash: "policy".to_owned(),
        }
    }

    /// A price that changes after the decision changes nothing.
    #[test]
    fn a_successor_costs_what_its_decision_recorded() {
        let now: Time = "2026-12-01T08:00:00Z".parse().unwrap();
        let uid = BookingUid::parse("b").unwrap();
        let last = Booking::new(uid, (now, now + Span::hours(1)), now);
        let account = Account::new(AccountId::parse("bo@example.com").unwrap(), now);
        let note = build_note(&last, &gate(Cost::Fixed(2)), 2, None, (now, "policy"));
        let decided = Request {
            decision: Decision::Confirm,
            state: RequestState::Recorded,
            ..note.clone()
        };
        let series = Request {
            bookings: vec![last.to_ref(), last.to_ref()],
            ..decided.clone()
        };
        let declined = Request {
            decision: Decision::Decline,
            ..decided.clone()
        };
        let now_five = gate(Cost::Fixed(5));
        let by_guests = gate(Cost::PerGuest {
            base: 3,
            per_guest: 1,
        });
        // the decision, the gate now, the cost
        let rows = [
            (Some(&decided), Some(&now_five), Some(2)),
            (Some(&decided), None, Some(2)),
            (None, Some(&now_five), Some(5)),
            (None, Some(&by_guests), Some(3)),
            (None, None, None),
            // A note decides nothing, and the cost of a series is that of its first booking.
            (Some(&note), Some(&now_five), Some(5)),
            (Some(&series), Some(&now_five), Some(5)),
            (Some(&declined), Some(&now_five), Some(5)),
        ];
        for (number, (request, gate, expect)) in rows.into_iter().enumerate() {
            let successor = (gate, Some(&last));
            let cost = cost_of_successor(&policy(), successor, (&account, 1), request);
            assert_eq!(cost, expect, "row {number}");
        }
        let unread = Booking {
            has_unread_guests: true,
            ..last.clone()
        };
        let successor = (Some(&by_guests), Some(&unread));
        let cost = cost_of_successor(&policy(), successor, (&account, 1), None);
        assert_eq!(cost, None);
    }
}

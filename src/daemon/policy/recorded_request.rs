//! Rebuilds a recorded request so that it can be judged again. What was not recorded stays empty
//! here; `unrecorded_inputs` accounts for it. What the calendar reported about price and overlap is
//! taken from the findings that were recorded with the decision.

use std::collections::BTreeMap;

use super::historical_ledger::HistoricalLedger;
use super::snapshot_fixture::{self, SnapshotFixture};
use crate::domain::booking::{Booker, Booking, EventTypeRef};
use crate::domain::decision::ReasonCode;
use crate::domain::fact::{ChargeFact, Fact};
use crate::domain::id::{BookingUid, HostId};
use crate::domain::request::Request;
use crate::domain::snapshot::{Lookups, PinResult};
use crate::domain::time::{Span, Time};

/// The host of a booking that names no host.
const UNKNOWN_HOST: HostId = HostId(0);

/// How far back requests of the same day can be, in any time zone.
const SAME_DAY_RANGE: Span = Span::hours(50);

/// The time of each booking of the request, as recorded by its holds; the request itself records
/// the time of a single booking.
pub type BookingTimes = BTreeMap<BookingUid, (Time, Time)>;

/// Returns the times that the holds of a request record.
pub fn booking_times(request: &Request, facts: &[Fact]) -> BookingTimes {
    if let [only] = request.bookings.as_slice() {
        return BTreeMap::from([(only.uid.clone(), (request.start, request.end))]);
    }
    let holds = facts.iter().filter_map(|fact| match fact {
        Fact::Charge(ChargeFact::Hold {
            booking,
            request: of,
            start,
            end,
            ..
        }) if *of == request.id => Some((booking.uid.clone(), (*start, *end))),
        _ => None,
    });
    holds.collect()
}

/// Returns true when the times of all bookings are known.
pub fn cover_all_bookings(times: &BookingTimes, request: &Request) -> bool {
    request
        .bookings
        .iter()
        .all(|of| times.contains_key(&of.uid))
}

/// Builds the fixture in which the request was decided.
pub fn build_fixture(
    request: &Request,
    times: &BookingTimes,
    ledger: &HistoricalLedger,
) -> SnapshotFixture {
    let booker = request.booker.as_ref();
    let account = booker.and_then(|booker| ledger.account_of(booker)).cloned();
    let bookings = recorded_bookings(request, times);
    let price = match rule_passed(request, "free-of-charge") {
        Some(false) => 1,
        Some(true) | None => 0,
    };
    let hidden = has_reason(request, ReasonCode::EventTypeNotShown);
    let event_type =
        snapshot_fixture::event_type(&bookings[0], price, has_reason(request, ReasonCode::Seated));
    let carried = request.predecessor.as_ref();
    SnapshotFixture {
        now: request.decided_at,
        me: request.host.unwrap_or(UNKNOWN_HOST),
        event_type: event_type.filter(|_| !hidden),
        counted_bookings: account
            .as_ref()
            .map(|of| ledger.counted_bookings(&of.id))
            .unwrap_or_default(),
        prior_requests: booker
            .map(|of| ledger.requests_since(of, request.created_at - SAME_DAY_RANGE))
            .unwrap_or_default(),
        pin: recorded_pin(
            request,
            account.as_ref().is_some_and(|of| of.pin_hash.is_some()),
        ),
        lookups: Lookups::default(),
        host_is_busy: rule_passed(request, "time-free") == Some(false),
        carried_charge: carried.and_then(|from| ledger.open_charge(from)).cloned(),
        prior_record: None,
        ledger_is_empty: ledger.is_empty(),
        account,
        bookings,
    }
}

/// Returns whether the request passed the rule then; `None` if the rule was not evaluated.
pub fn rule_passed(request: &Request, rule: &str) -> Option<bool> {
    let mut findings = request.findings.iter();
    let finding = findings.find(|finding| finding.rule == rule)?;
    Some(finding.passed)
}

fn has_reason(request: &Request, code: ReasonCode) -> bool {
    request.reasons.iter().any(|reason| reason.code == code)
}

/// Returns the result of the PIN check. A wrong, a missing and a locked PIN lead to the same
/// answer; a member without a PIN cannot give a correct PIN.
fn recorded_pin(request: &Request, is_set: bool) -> Option<PinResult> {
    match rule_passed(request, "pin") {
        _ if !is_set => Some(PinResult::NotSet),
        Some(true) => Some(PinResult::Correct),
        Some(false) => Some(PinResult::Wrong),
        None => None,
    }
}

fn recorded_bookings(request: &Request, times: &BookingTimes) -> Vec<Booking> {
    let count = request.bookings.len();
    let series = count > 1 || request.series.as_ref() == Some(&request.id);
    let booker = request.booker.as_ref().map(|address| Booker {
        address: address.clone(),
        name: None,
        time_zone: None,
        language: None,
    });
    let has_booker = rule_passed(request, "booker") != Some(false);
    let numbered = request.bookings.iter().enumerate();
    let all = numbered.map(|(number, of)| {
        let start = request.start;
        // The last booking ends when the request does. `unrecorded_inputs` accounts for the other
        // unknown times; each booking takes some time here, so that overlaps can occur.
        let end = if number + 1 == count {
            request.end
        } else {
            start + Span::minutes(1)
        };
        let time = times.get(&of.uid).copied().unwrap_or((start, end));
        let mut booking = Booking::new(of.uid.clone(), time, request.created_at);
        booking.id = of.id;
        booking.series = series.then(|| request.id.clone());
        booking.title = request.title.clone();
        booking.host = request.host.map(snapshot_fixture::host);
        booking.event_type = request.event_type.map(|id| EventTypeRef {
            id,
            slug: request.slug.clone(),
        });
        booking.booker = booker.clone().filter(|_| has_booker);
        booking.rescheduled_from = request.predecessor.clone();
        booking
    });
    all.collect()
}

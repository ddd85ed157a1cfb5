//! Checks the bookings that were seen and that no charge is settled for: those that are accepted
//! without a charge, those that are accepted although they were cancelled or moved, and requests
//! that ended while they waited. Every booking that is accepted without a charge is on the
//! unresolved list until it is dealt with.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::accepted_move::{self, MoveEvaluation};
use super::cancel::{self, CancelReason};
use super::observed_bookings::ObservedBookings;
use super::unresolved_list::{self, UnresolvedFinding};
use super::{RecordedChange, WatchReport};
use crate::domain::account::Account;
use crate::domain::booking::{Booking, BookingStatus, Fetched, Payment};
use crate::domain::criteria::global_policy::GlobalPolicy;
use crate::domain::decision::{Reason, ReasonCode};
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{AccountId, BookingUid, EventTypeId, HostId, RequestId};
use crate::domain::messages;
use crate::domain::plan::Problem;
use crate::domain::refund_policy::{AcceptedMove, OnRevived, OnUnmanaged};
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::time::Time;
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedCode, has_operator_resolution};
use crate::domain::watch::ChargeOutcome;
use crate::domain::watch::accepted_bookings::{
    AcceptedCase, AcceptedState, SeriesConfirm, UnpaidCause, classify_accepted,
    resolution_by_status, resolution_while_accepted, series_confirm,
};
use crate::domain::watch::unmanaged_bookings::{
    close_note, settled_charge_facts_for, take_credits,
};
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::observe::count_recent_declines;
use crate::reconcile::pin;
use crate::reconcile::predecessor::PredecessorCharge;
use crate::reconcile::store_reads::find_request;
use crate::store::port::{ExpectedVersion, Store, StoreError};

/// The maximum number of decisions that one booking may have in the ledger: it can be accepted
/// again that often.
const MAX_DECISIONS: u32 = 50;

/// The maximum number of siblings whose decisions are read to find our confirm of a series.
const MAX_SIBLINGS: usize = 50;

/// What the store knows about one booking.
struct StoredBooking {
    charge: Option<Charge>,
    record: Option<Request>,
    items: Vec<UnresolvedBooking>,
    our_confirm: SeriesConfirm,
    /// Whether the booking was made before the ledger knew any booking.
    predates_ledger: bool,
}

/// The state of the watch while it checks unmanaged bookings.
struct UnmanagedCheck<'a, 'p> {
    ports: &'a Ports<'p>,
    policy: &'a Policy,
    session: &'a mut Session,
    observed_bookings: &'a ObservedBookings,
    report: &'a mut WatchReport,
    cancels_left: usize,
    /// The occurrences of series that were read before one of them was to be cancelled; `None` if
    /// the read failed.
    series_occurrences: BTreeMap<RequestId, Option<Vec<BookingUid>>>,
}

pub(super) async fn check_unmanaged(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    me: HostId,
    observed_bookings: &ObservedBookings,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let gated_bookings: Vec<(Cow<'_, Booking>, &Gate)> = observed_bookings
        .bookings()
        .filter_map(|booking| Some((booking, policy.require_gate(me, booking).ok()?)))
        .map(|(booking, gate)| (without_pin(policy, gate, booking), gate))
        .collect();
    let accepted_bookings = gated_bookings
        .iter()
        .filter(|(booking, _)| booking.status == BookingStatus::Accepted);
    let event_type_ids: BTreeSet<EventTypeId> = accepted_bookings
        .filter_map(|(booking, _)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let event_types = if event_type_ids.is_empty() {
        Default::default()
    } else {
        session
            .event_types(ports, event_type_ids, &mut report.problems)
            .await?
    };
    let recent_declines = count_recent_declines(ports, policy).await?;
    let mut check = UnmanagedCheck {
        ports,
        policy,
        session,
        observed_bookings,
        report,
        cancels_left: policy
            .limits
            .declines
            .at_most
            .saturating_sub(recent_declines),
        series_occurrences: BTreeMap::new(),
    };
    for (booking, gate) in gated_bookings {
        if check.report.should_stop(ports) {
            break;
        }
        let booking = booking.as_ref();
        if booking.status != BookingStatus::Accepted {
            check.check_ended(booking).await?;
            continue;
        }
        let event_type_id = booking.event_type.as_ref().map(|kind| kind.id);
        let event_type = event_type_id.and_then(|id| event_types.get(&id)?.as_ref());
        // Credits and payment do not mix, and every attendee with a seat is a separate booker.
        let is_free = event_type.is_some_and(|kind| kind.price == 0 && !kind.seated);
        if is_free && booking.payment != Payment::Unpaid {
            check.check_accepted(booking, gate).await?;
        }
    }
    Ok(())
}

/// The detail under which a revived booking is listed.
const REVIVED_DETAIL: &str = "although it was cancelled or moved to another time";

/// The code of the problem that reports the limit.
const CANCEL_LIMIT: &str = "cancel-limit";

impl UnmanagedCheck<'_, '_> {
    /// Handles a booking that is not accepted: the reasons for which it was listed are over, and
    /// its note is closed.
    async fn check_ended(&mut self, booking: &Booking) -> Result<(), PassError> {
        let (now, booking_copy) = ((self.ports.clock)(), booking.clone());
        let close_note_result = self
            .ports
            .store
            .with(move |store| close_finished_note(store, &booking_copy, now));
        if let Some(why) = close_note_result.await? {
            record_change(self.report, booking, ChargeOutcome::Closed, why.to_owned());
        }
        let uid = booking.uid.clone();
        let items = self
            .ports
            .store
            .with(move |store| store.unresolved_items_of(&uid));
        let items = items.await.map_err(PassError::Store)?;
        let ended_items = items
            .iter()
            .filter(|item| item.is_open() || item.is_resolved_by_operator())
            .filter_map(|item| {
                Some((item.code, resolution_by_status(item.code, &booking.status)?))
            });
        unresolved_list::resolve(self.ports, &booking.uid, ended_items.collect()).await
    }

    async fn check_accepted(&mut self, booking: &Booking, gate: &Gate) -> Result<(), PassError> {
        let stored_booking = self.read_stored(booking).await?;
        let mut case = AcceptedCase {
            booking,
            charge: stored_booking.charge.as_ref(),
            record: stored_booking.record.as_ref(),
            items: &stored_booking.items,
            is_replaced: self.observed_bookings.is_replaced(&booking.uid),
            predecessor: None,
            series_confirm: stored_booking.our_confirm,
            now: (self.ports.clock)(),
        };
        let mut state = classify_accepted(&case);
        let mut closed_predecessor = None;
        if let (AcceptedState::Unpaid(_), Some(from)) = (state, &booking.rescheduled_from) {
            match self.find_predecessor_charge(from).await? {
                PredecessorCharge::NoCharge => {}
                PredecessorCharge::Closed(charge) => closed_predecessor = Some(*charge),
                // If any of the charges led to this booking, it would have moved just now.
                PredecessorCharge::Hidden(_)
                    if self.report.audit && self.observed_bookings.is_complete() => {}
                PredecessorCharge::Hidden(_) if self.report.audit => {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear)
                }
                // The booking with the charge is accepted too, so the charge does not move to this
                // one.
                PredecessorCharge::Open(charge, _)
                    if self.is_seen_accepted(&charge.booking.uid) =>
                {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear);
                }
                // A decision may stay open for a long time, if a status is not known.
                PredecessorCharge::Undecided => state = AcceptedState::Unpaid(UnpaidCause::Unclear),
                // The audit checked every open charge just now, and none has led to this booking.
                PredecessorCharge::Open(charge, _)
                    if self.report.audit
                        && self.observed_bookings.is_complete()
                        && charge.taken_over_by.is_none()
                        && stored_booking.record.as_ref().is_none_or(is_noted) =>
                {
                    state = AcceptedState::Unpaid(UnpaidCause::Unclear);
                }
                // The booking was paid for under another uid, or may have been: the charge moves
                // first.
                PredecessorCharge::Open(..)
                | PredecessorCharge::Hidden(_)
                | PredecessorCharge::Unread => {
                    return Ok(());
                }
            }
        }
        if closed_predecessor.is_some() {
            case.predecessor = closed_predecessor.as_ref();
            state = classify_accepted(&case);
        }
        self.resolve_outdated_items(booking, &stored_booking, state)
            .await?;
        match state {
            // The credits that are held for the booking are kept until its request ends, which may
            // take long.
            AcceptedState::UnderDecision if case.is_revived_while_held() => {
                let code = UnresolvedCode::Revived;
                self.list_unresolved(booking, &stored_booking, code, REVIVED_DETAIL)
                    .await
            }
            AcceptedState::Settled | AcceptedState::UnderDecision => Ok(()),
            AcceptedState::PartlyPaid => {
                let detail = "by others, and credits are missing for it";
                let code = UnresolvedCode::Unmanaged;
                self.list_unresolved(booking, &stored_booking, code, detail)
                    .await
            }
            AcceptedState::Revived => self.handle_revived(booking, gate, &stored_booking).await,
            AcceptedState::Unpaid(cause) => {
                self.handle_unpaid((booking, gate), &stored_booking, cause)
                    .await
            }
        }
    }

    fn is_seen_accepted(&self, uid: &BookingUid) -> bool {
        let observed_booking = self.observed_bookings.get(uid);
        observed_booking.is_some_and(|booking| booking.status == BookingStatus::Accepted)
    }

    async fn read_stored(&self, booking: &Booking) -> Result<StoredBooking, PassError> {
        let siblings: Vec<BookingUid> = match &booking.series {
            Some(series) => self
                .observed_bookings
                .bookings_of_series(series)
                .map(|one| one.uid.clone())
                .collect(),
            None => Vec::new(),
        };
        self.read_stored_with_siblings(booking, siblings).await
    }

    /// Reads what the store knows about the booking, and about our confirm of these occurrences of
    /// its series.
    async fn read_stored_with_siblings(
        &self,
        booking: &Booking,
        siblings: Vec<BookingUid>,
    ) -> Result<StoredBooking, PassError> {
        let booking_copy = booking.clone();
        let stored_booking = self
            .ports
            .store
            .with(move |store| read_stored_booking(store, &booking_copy, &siblings));
        stored_booking.await.map_err(PassError::Store)
    }

    async fn find_predecessor_charge(
        &mut self,
        from: &BookingUid,
    ) -> Result<PredecessorCharge, PassError> {
        let ports = self.ports;
        tokio::select! {
            biased;
            () = ports.stop.stopped() => Ok(PredecessorCharge::Unread),
            predecessor = self.session.find_predecessor_charge(ports, from, &mut self.report.problems) => predecessor,
        }
    }

    /// Takes the items that no longer hold off the list.
    async fn resolve_outdated_items(
        &mut self,
        booking: &Booking,
        stored_booking: &StoredBooking,
        state: AcceptedState,
    ) -> Result<(), PassError> {
        let open = stored_booking.items.iter().filter(|item| item.is_open());
        let ended_items =
            open.filter_map(|item| Some((item.code, resolution_while_accepted(item.code, state)?)));
        unresolved_list::resolve(self.ports, &booking.uid, ended_items.collect()).await
    }

    async fn list_unresolved(
        &mut self,
        booking: &Booking,
        stored_booking: &StoredBooking,
        code: UnresolvedCode,
        detail: &str,
    ) -> Result<(), PassError> {
        let account = stored_booking
            .charge
            .as_ref()
            .map(|charge| charge.account.clone());
        let finding = UnresolvedFinding::new(booking, code, account, detail.to_owned());
        unresolved_list::add_to_unresolved(self.ports, finding, self.report).await
    }

    /// Handles a booking that is accepted although it was cancelled or moved. A listing may show
    /// the booking as it was before a move that a later page shows, so it is read again first.
    async fn handle_revived(
        &mut self,
        booking: &Booking,
        gate: &Gate,
        stored_booking: &StoredBooking,
    ) -> Result<(), PassError> {
        let code = UnresolvedCode::Revived;
        if has_operator_resolution(&stored_booking.items, code) {
            return Ok(());
        }
        let is_listed = stored_booking
            .items
            .iter()
            .any(|item| item.is_open() && item.code == code);
        let gate_cancels = gate.terms.on_revived == OnRevived::Cancel;
        if is_listed && !gate_cancels {
            return Ok(());
        }
        let reference = booking.to_ref();
        let read_result = tokio::select! {
            biased;
            () = self.ports.stop.stopped() => return Ok(()),
            read = self.ports.calendar.get(&reference) => read,
        };
        match read_result {
            Ok(Fetched::Found(read_booking)) if read_booking.status == BookingStatus::Accepted => {}
            Ok(_) => return Ok(()),
            Err(error) if error.is_fatal_for_pass() => {
                return Err(error.into());
            }
            // The next watch that sees the booking checks it again.
            Err(_) => return Ok(()),
        }
        if gate_cancels && self.take_cancellation(booking) {
            return self
                .cancel(
                    (booking, gate),
                    CancelReason::from_code(ReasonCode::Revived),
                )
                .await;
        }
        self.list_unresolved(booking, stored_booking, code, REVIVED_DETAIL)
            .await
    }

    /// Handles a booking that is not paid for: it is charged, cancelled or left, as configured, and
    /// listed as long as it is unpaid.
    async fn handle_unpaid(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
    ) -> Result<(), PassError> {
        let terms = &gate.terms;
        let is_old = |since: Time| booking.created_at < since;
        if cause == UnpaidCause::AcceptedByOthers && terms.unmanaged_since.is_some_and(is_old) {
            return Ok(());
        }
        let mut detail = cause.description().to_owned();
        let mut always_list = false;
        let action = match cause {
            // It is not known whether the booking was paid for, because the ledger did not exist.
            UnpaidCause::AcceptedByOthers
            | UnpaidCause::AcceptedAgain
            | UnpaidCause::JoinedSeries
                if stored_booking.predates_ledger =>
            {
                detail = format!("{detail}: it was made before the ledger began");
                OnUnmanaged::Report
            }
            UnpaidCause::AcceptedByOthers
                if terms.on_unmanaged == OnUnmanaged::Cancel
                    && !self.was_accepted_by_others(booking).await? =>
            {
                UnpaidCause::Unclear.description().clone_into(&mut detail);
                OnUnmanaged::Report
            }
            UnpaidCause::AcceptedByOthers | UnpaidCause::AcceptedAgain => terms.on_unmanaged,
            UnpaidCause::JoinedSeries => OnUnmanaged::Charge,
            UnpaidCause::Unclear => OnUnmanaged::Report,
            UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => {
                always_list = true;
                match self.evaluate_move(booking, terms.accepted_move).await? {
                    MoveEvaluation::Keep => OnUnmanaged::Charge,
                    MoveEvaluation::Postpone => return Ok(()),
                    MoveEvaluation::Review(why) => {
                        detail = format!("{detail}; its gate asks for a review: {why}");
                        OnUnmanaged::Charge
                    }
                    MoveEvaluation::Cancel(why) => {
                        return self
                            .cancel_or_list((booking, gate), stored_booking, cause, why)
                            .await;
                    }
                }
            }
        };
        match action {
            OnUnmanaged::Report => {}
            OnUnmanaged::Cancel => {
                let why = CancelReason::from_code(ReasonCode::Unmanaged);
                return self
                    .cancel_or_list((booking, gate), stored_booking, cause, why)
                    .await;
            }
            OnUnmanaged::Charge => match self
                .charge_available((booking, gate), stored_booking, cause)
                .await?
            {
                Some(0) if !always_list => return Ok(()),
                Some(0) => {}
                Some(missing) => {
                    let missing = messages::format_credits(missing);
                    detail = format!("{detail}; {missing} are missing for it");
                }
                None => detail = format!("{detail}: there is no account"),
            },
        }
        self.list_unresolved(booking, stored_booking, cause.code(), &detail)
            .await
    }

    /// Returns true if no confirm of ours can have accepted the booking. The confirm of one
    /// occurrence accepts its whole series, and a list shows that occurrence only while it is
    /// accepted. So the series is read before an occurrence is cancelled. Returns false if the
    /// series cannot be read.
    async fn was_accepted_by_others(&mut self, booking: &Booking) -> Result<bool, PassError> {
        let Some(series) = &booking.series else {
            return Ok(true);
        };
        let siblings = match self.series_occurrences.get(series) {
            Some(siblings) => siblings.clone(),
            None => {
                let siblings = self.read_series(series).await?;
                self.series_occurrences
                    .insert(series.clone(), siblings.clone());
                siblings
            }
        };
        let Some(siblings) = siblings.filter(|all| all.len() <= MAX_SIBLINGS) else {
            return Ok(false);
        };
        let stored_booking = self.read_stored_with_siblings(booking, siblings).await?;
        Ok(stored_booking.our_confirm == SeriesConfirm::No)
    }

    /// Returns the occurrences of a series, whatever their status, or `None` if they could not be
    /// read. In v1, which has no such read, a confirm accepts one booking only.
    async fn read_series(&self, series: &RequestId) -> Result<Option<Vec<BookingUid>>, PassError> {
        let uid = series.uid();
        let read_result = tokio::select! {
            biased;
            () = self.ports.stop.stopped() => return Ok(None),
            read = self.ports.calendar.series(&uid) => read,
        };
        match read_result {
            Ok(all) => {
                let all = all.unwrap_or_default().into_iter();
                Ok(Some(all.map(|one| one.uid).collect()))
            }
            Err(error) if error.is_fatal_for_pass() => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn evaluate_move(
        &mut self,
        booking: &Booking,
        mode: AcceptedMove,
    ) -> Result<MoveEvaluation, PassError> {
        if mode == AcceptedMove::Carry || !accepted_move::needs_evaluation(self.policy, booking) {
            return Ok(MoveEvaluation::Keep);
        }
        let problems = &mut self.report.problems;
        accepted_move::evaluate_move(self.ports, self.policy, self.session, booking, problems).await
    }

    /// Takes one of the cancellations that the limit of declines still allows. If there is none,
    /// this is reported, once per watch. Every server refuses to cancel a past booking.
    fn take_cancellation(&mut self, booking: &Booking) -> bool {
        if booking.end <= (self.ports.clock)() {
            return false;
        }
        if self.cancels_left > 0 {
            self.cancels_left -= 1;
            return true;
        }
        report_cancel_limit(self.report);
        false
    }

    async fn cancel_or_list(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
        why: CancelReason,
    ) -> Result<(), PassError> {
        if self.take_cancellation(booking) {
            return self.cancel((booking, gate), why).await;
        }
        self.list_unresolved(booking, stored_booking, cause.code(), cause.description())
            .await
    }

    async fn cancel(
        &mut self,
        target: (&Booking, &Gate),
        why: CancelReason,
    ) -> Result<(), PassError> {
        let Some(id) = find_unused_request_id(self.ports, &target.0.uid).await? else {
            return Ok(());
        };
        cancel::cancel_booking(self.ports, self.policy, target, (id, why), self.report).await
    }

    /// Charges the credits that are available. Returns how many credits are missing, or `None` if
    /// there is no account.
    async fn charge_available(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        stored_booking: &StoredBooking,
        cause: UnpaidCause,
    ) -> Result<Option<u64>, PassError> {
        let (now, booking_copy, gate) = ((self.ports.clock)(), booking.clone(), gate.clone());
        let (global_policy, hash) = (self.policy.global.clone(), self.policy.hash.clone());
        let record = stored_booking.record.clone();
        let charge_result = self.ports.store.with(move |store| {
            charge_account(
                store,
                &booking_copy,
                (&gate, &global_policy),
                record.as_ref(),
                cause,
                (now, &hash),
            )
        });
        let Some((account, credits, missing)) = charge_result.await? else {
            return Ok(None);
        };
        let text = format!(
            "accepted {}: {} charged",
            describe_cause(cause),
            messages::format_credits(credits)
        );
        record_change(self.report, booking, ChargeOutcome::Charged, text);
        tracing::debug!(account = %account, missing, "charged what others accepted");
        Ok(Some(missing))
    }
}

/// Reports, once per watch, that the limit of declines holds cancellations back.
pub(super) fn report_cancel_limit(report: &mut WatchReport) {
    let problems = &mut report.problems;
    if problems.iter().all(|problem| problem.code != CANCEL_LIMIT) {
        problems.push(Problem {
            code: CANCEL_LIMIT,
            text: "more accepted bookings would be cancelled than limits.declines allows: they are on \
                   the unresolved list, and later watches go on; if these bookings are right, correct \
                   the configuration or the ledger now"
                .to_owned(),
        });
    }
}

fn is_noted(request: &Request) -> bool {
    request.state == RequestState::Noted
}

fn describe_cause(cause: UnpaidCause) -> &'static str {
    match cause {
        UnpaidCause::AcceptedByOthers | UnpaidCause::AcceptedAgain | UnpaidCause::Unclear => {
            "by others"
        }
        UnpaidCause::JoinedSeries => "with its series",
        UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => "after a move",
    }
}

/// Returns an id for one more decision about the booking: the booking's own, or one with a number.
pub(super) async fn find_unused_request_id(
    ports: &Ports<'_>,
    booking: &BookingUid,
) -> Result<Option<RequestId>, PassError> {
    let uid = booking.clone();
    let id = ports
        .store
        .with(move |store| find_unused_id(store, &uid))
        .await;
    id.map_err(PassError::Store)
}

fn find_unused_id(
    store: &dyn Store,
    booking: &BookingUid,
) -> Result<Option<RequestId>, StoreError> {
    // A request is charged once: credits that came back were held for another request.
    let charged_request = store.charge(booking)?.map(|charge| charge.request);
    for number in 1..=MAX_DECISIONS {
        let id = match number {
            1 => Some(RequestId::from(booking)),
            _ => RequestId::parse(&format!("{booking}~{number}")).ok(),
        };
        let Some(id) = id else { return Ok(None) };
        let stored_request = store.request(&id)?;
        let is_free = stored_request.is_none_or(|request| request.state == RequestState::Noted);
        if is_free && charged_request.as_ref() != Some(&id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn read_stored_booking(
    store: &dyn Store,
    booking: &Booking,
    siblings: &[BookingUid],
) -> Result<StoredBooking, StoreError> {
    let mut our_confirm = SeriesConfirm::No;
    let of_siblings = siblings.iter().take(MAX_SIBLINGS);
    let mut request_ids: BTreeSet<RequestId> = booking.series.iter().cloned().collect();
    // The booking that this one replaced may have been decided under an id of its own, and is in no
    // list any more.
    for uid in of_siblings.chain(&booking.rescheduled_from) {
        request_ids.extend(store.request_of(uid)?);
    }
    for id in request_ids {
        if let Some(request) = store.request(&id)? {
            our_confirm = our_confirm.max(series_confirm(booking, &request));
        }
    }
    Ok(StoredBooking {
        charge: store.charge(&booking.uid)?,
        record: find_request(store, &booking.uid)?,
        items: store.unresolved_items_of(&booking.uid)?,
        our_confirm,
        predates_ledger: store.ledger_state()?.predates(booking.created_at),
    })
}

/// Returns the booking as it may be written down: without a PIN that was given with it.
fn without_pin<'a>(policy: &Policy, gate: &Gate, booking: &'a Booking) -> Cow<'a, Booking> {
    if gate.criteria.pin.is_none() {
        return Cow::Borrowed(booking);
    }
    let mut booking = booking.clone();
    pin::take_pin(policy, &mut booking);
    Cow::Owned(booking)
}

fn record_change(
    report: &mut WatchReport,
    booking: &Booking,
    outcome: ChargeOutcome,
    text: String,
) {
    report.record(RecordedChange {
        booking: booking.uid.clone(),
        account: None,
        outcome,
        text,
    });
}

/// Closes the note of a request that was left waiting and is over, or was answered by others.
fn close_finished_note(
    store: &mut dyn Store,
    booking: &Booking,
    now: Time,
) -> Result<Option<&'static str>, PassError> {
    let record = find_request(store, &booking.uid).map_err(PassError::Store)?;
    let record = record.filter(|record| record.state == RequestState::Noted);
    let charge = store.charge(&booking.uid).map_err(PassError::Store)?;
    if record.is_none() || charge.is_some() {
        return Ok(None);
    }
    match &booking.status {
        BookingStatus::Pending if booking.end <= now => {
            close_record(store, record, "it ended undecided", now)
        }
        BookingStatus::Cancelled => {
            close_record(store, record, "it was cancelled before it was decided", now)
        }
        BookingStatus::Rejected => close_record(store, record, "it was declined at Cal.com", now),
        BookingStatus::Pending
        | BookingStatus::Accepted
        | BookingStatus::AwaitingHost
        | BookingStatus::Other(_) => Ok(None),
    }
}

fn close_record(
    store: &mut dyn Store,
    record: Option<Request>,
    why: &'static str,
    now: Time,
) -> Result<Option<&'static str>, PassError> {
    // A series is one request, which its last occurrence closes.
    let Some(record) = record.filter(|record| record.bookings.len() == 1) else {
        return Ok(None);
    };
    let reason = Reason {
        code: ReasonCode::AlreadyOver,
        text: why.to_owned(),
    };
    let facts = close_note(&record, reason);
    store.commit(now, facts, &[]).map_err(PassError::Commit)?;
    Ok(Some(why))
}

/// Charges the available credits, never more. Returns the account, the charged credits and the
/// missing credits.
fn charge_account(
    store: &mut dyn Store,
    booking: &Booking,
    (gate, global_policy): (&Gate, &GlobalPolicy),
    record: Option<&Request>,
    cause: UnpaidCause,
    (now, policy): (Time, &str),
) -> Result<Option<(AccountId, u64, u64)>, PassError> {
    let account = find_account(store, global_policy, booking).map_err(PassError::Store)?;
    let id = find_unused_id(store, &booking.uid).map_err(PassError::Store)?;
    let (Some(account), Some(id)) = (account, id) else {
        return Ok(None);
    };
    let cost = gate.price(global_policy, booking, account.tier.as_deref(), 1);
    let credits = cost.min(account.available(now));
    let (parts, mut facts) =
        take_credits(&account, credits, now).expect("no more than is available");
    let (code, why) = match cause {
        UnpaidCause::PredecessorClosed | UnpaidCause::SecondSuccessor => (
            ReasonCode::AcceptedMove,
            "accepted at once after a move, charged as it would have been",
        ),
        UnpaidCause::AcceptedByOthers
        | UnpaidCause::AcceptedAgain
        | UnpaidCause::JoinedSeries
        | UnpaidCause::Unclear => (
            ReasonCode::Unmanaged,
            "accepted by others, charged as it would have been",
        ),
    };
    facts.extend(settled_charge_facts_for(
        id,
        booking,
        gate,
        cost,
        (&account, parts),
        (code, why),
        record,
        (now, policy),
    ));
    let expected = [ExpectedVersion {
        account: account.id.clone(),
        version: Some(account.version),
    }];
    store
        .commit(now, facts, &expected)
        .map_err(PassError::Commit)?;
    Ok(Some((account.id, credits, cost - credits)))
}

fn find_account(
    store: &dyn Store,
    global_policy: &GlobalPolicy,
    booking: &Booking,
) -> Result<Option<Account>, StoreError> {
    let Some(booker) = &booking.booker else {
        return Ok(None);
    };
    match store.resolve(&global_policy.address_of(&booker.address))? {
        Some(id) => store.account(&id),
        None => Ok(None),
    }
}

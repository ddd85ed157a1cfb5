//! Bookings among what was seen that no charge is settled for: those that are accepted without one,
//! those that are accepted although they were cancelled or moved, and requests that ended while they
//! waited. Whatever is accepted without a charge is on the unresolved list until it is dealt with.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::accepted_move::{self, Judged};
use super::cancel::{self, Why};
use super::listed::{self, Finding};
use super::look::Seen;
use super::settle::request_of;
use super::{Change, Watched};
use crate::domain::account::Account;
use crate::domain::booking::{Booking, Payment, Reading, Status};
use crate::domain::criteria::house::House;
use crate::domain::decision::{Code, Reason};
use crate::domain::gate::{Gate, Policy};
use crate::domain::id::{AccountId, BookingUid, EventTypeId, HostId, RequestId};
use crate::domain::plan::Problem;
use crate::domain::request::{Charge, Request, RequestState};
use crate::domain::terms::{AcceptedMove, OnRevived, Unmanaged};
use crate::domain::text;
use crate::domain::time::Time;
use crate::domain::unresolved::{Unresolved, UnresolvedCode, is_settled};
use crate::domain::watch::What;
use crate::domain::watch::accepted::{
    Accepted, AcceptedCase, Cause, OurConfirm, accepted, confirmed_with, has_ended, no_longer_holds,
};
use crate::domain::watch::unmanaged::{ended, settled_as, takes};
use crate::reconcile::chain::Before;
use crate::reconcile::observe::declined;
use crate::reconcile::pin;
use crate::reconcile::ports::{PassError, Ports, Session};
use crate::store::port::{Expected, Store, StoreError};

/// Decisions that one booking may have in the ledger: it is accepted again that often.
const MAX_DECISIONS: u32 = 50;

/// Siblings whose decisions are looked at to find our confirm of a series.
const MAX_SIBLINGS: usize = 50;

/// What the store knows of one booking.
struct Known {
    charge: Option<Charge>,
    record: Option<Request>,
    items: Vec<Unresolved>,
    our_confirm: OurConfirm,
    /// Made before the ledger knew of any booking.
    predates_ledger: bool,
}

/// The watch at work.
struct Walk<'a, 'p> {
    ports: &'a Ports<'p>,
    policy: &'a Policy,
    session: &'a mut Session,
    seen: &'a Seen,
    watched: &'a mut Watched,
    cancels_left: usize,
    /// The occurrences of series that were read before one of them was to be cancelled; none where that
    /// failed.
    series: BTreeMap<RequestId, Option<Vec<BookingUid>>>,
}

pub(super) async fn unmanaged(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    me: HostId,
    seen: &Seen,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let ours: Vec<(Cow<'_, Booking>, &Gate)> = seen
        .bookings()
        .filter_map(|booking| Some((booking, policy.guards(me, booking).ok()?)))
        .map(|(booking, gate)| (without_pin(policy, gate, booking), gate))
        .collect();
    let accepted = ours
        .iter()
        .filter(|(booking, _)| booking.status == Status::Accepted);
    let kinds: BTreeSet<EventTypeId> = accepted
        .filter_map(|(booking, _)| booking.event_type.as_ref().map(|kind| kind.id))
        .collect();
    let kinds = if kinds.is_empty() {
        Default::default()
    } else {
        session
            .event_types(ports, kinds, &mut watched.problems)
            .await?
    };
    let declined = declined(ports, policy).await?;
    let mut walk = Walk {
        ports,
        policy,
        session,
        seen,
        watched,
        cancels_left: policy.limits.declines.at_most.saturating_sub(declined),
        series: BTreeMap::new(),
    };
    for (booking, gate) in ours {
        if walk.watched.stops(ports) {
            break;
        }
        let booking = booking.as_ref();
        if booking.status != Status::Accepted {
            walk.ended(booking).await?;
            continue;
        }
        let kind = booking.event_type.as_ref().map(|kind| kind.id);
        let kind = kind.and_then(|id| kinds.get(&id)?.as_ref());
        // Credits and payment do not mix, and every attendee of seats is a booker of his own.
        let free = kind.is_some_and(|kind| kind.price == 0 && !kind.seated);
        if free && booking.payment != Payment::Unpaid {
            walk.accepted(booking, gate).await?;
        }
    }
    Ok(())
}

/// What a revived booking is listed as.
const REVIVED: &str = "although it was cancelled or moved to another time";

/// The code of the problem that tells of the limit.
const CANCEL_LIMIT: &str = "cancel-limit";

impl Walk<'_, '_> {
    /// A booking that is not accepted: what it was listed for is over, and a note of it is closed.
    async fn ended(&mut self, booking: &Booking) -> Result<(), PassError> {
        let (now, one) = ((self.ports.clock)(), booking.clone());
        let closed = self
            .ports
            .store
            .with(move |store| close_note(store, &one, now));
        if let Some(why) = closed.await? {
            change(self.watched, booking, What::Closed, why.to_owned());
        }
        let uid = booking.uid.clone();
        let items = self
            .ports
            .store
            .with(move |store| store.unresolved_of(&uid));
        let items = items.await.map_err(PassError::Store)?;
        let ended = items
            .iter()
            .filter(|item| item.is_open() || item.is_settled_by_operator())
            .filter_map(|item| Some((item.code, has_ended(item.code, &booking.status)?)));
        listed::resolve(self.ports, &booking.uid, ended.collect()).await
    }

    async fn accepted(&mut self, booking: &Booking, gate: &Gate) -> Result<(), PassError> {
        let known = self.known(booking).await?;
        let mut case = AcceptedCase {
            booking,
            charge: known.charge.as_ref(),
            record: known.record.as_ref(),
            items: &known.items,
            replaced: self.seen.is_replaced(&booking.uid),
            predecessor: None,
            our_confirm: known.our_confirm,
            now: (self.ports.clock)(),
        };
        let mut is = accepted(&case);
        let mut before = None;
        if let (Accepted::Unpaid(_), Some(from)) = (is, &booking.rescheduled_from) {
            match self.before(from).await? {
                Before::Nothing => {}
                Before::Ended(charge) => before = Some(*charge),
                // Had one of all the charges led here, it would have moved just now.
                Before::Hidden(_) if self.watched.audit && self.seen.is_whole() => {}
                Before::Hidden(_) if self.watched.audit => is = Accepted::Unpaid(Cause::Unclear),
                // The booking with the charge is accepted too, so the charge does not move here.
                Before::Open(charge, _) if self.stands(&charge.booking.uid) => {
                    is = Accepted::Unpaid(Cause::Unclear);
                }
                // What is being decided may stay so for long, when a status is not known.
                Before::Undecided => is = Accepted::Unpaid(Cause::Unclear),
                // An audit looked at every open charge just now, and none has led here.
                Before::Open(charge, _)
                    if self.watched.audit
                        && self.seen.is_whole()
                        && charge.taken_by.is_none()
                        && known.record.as_ref().is_none_or(is_noted) =>
                {
                    is = Accepted::Unpaid(Cause::Unclear);
                }
                // It was paid for under another name, or may have been: the charge moves first.
                Before::Open(..) | Before::Hidden(_) | Before::Unread => {
                    return Ok(());
                }
            }
        }
        if before.is_some() {
            case.predecessor = before.as_ref();
            is = accepted(&case);
        }
        self.forget(booking, &known, is).await?;
        match is {
            // What is held for it is kept until its request ends, which may take long.
            Accepted::InHand if case.shows_signs_while_held() => {
                let code = UnresolvedCode::Revived;
                self.list(booking, &known, code, REVIVED).await
            }
            Accepted::Settled | Accepted::InHand => Ok(()),
            Accepted::PaidInPart => {
                let detail = "by others, and credits are missing for it";
                let code = UnresolvedCode::Unmanaged;
                self.list(booking, &known, code, detail).await
            }
            Accepted::Revived => self.revived(booking, gate, &known).await,
            Accepted::Unpaid(cause) => self.unpaid((booking, gate), &known, cause).await,
        }
    }

    fn stands(&self, uid: &BookingUid) -> bool {
        let seen = self.seen.get(uid);
        seen.is_some_and(|booking| booking.status == Status::Accepted)
    }

    async fn known(&self, booking: &Booking) -> Result<Known, PassError> {
        let siblings: Vec<BookingUid> = match &booking.series {
            Some(series) => self
                .seen
                .of_series(series)
                .map(|one| one.uid.clone())
                .collect(),
            None => Vec::new(),
        };
        self.known_beside(booking, siblings).await
    }

    /// What the store knows of the booking, and of our confirm of these occurrences of its series.
    async fn known_beside(
        &self,
        booking: &Booking,
        siblings: Vec<BookingUid>,
    ) -> Result<Known, PassError> {
        let one = booking.clone();
        let known = self
            .ports
            .store
            .with(move |store| known(store, &one, &siblings));
        known.await.map_err(PassError::Store)
    }

    async fn before(&mut self, from: &BookingUid) -> Result<Before, PassError> {
        let ports = self.ports;
        tokio::select! {
            biased;
            () = ports.stop.told() => Ok(Before::Unread),
            before = self.session.charge_before(ports, from, &mut self.watched.problems) => before,
        }
    }

    /// Takes off the list what no longer holds.
    async fn forget(
        &mut self,
        booking: &Booking,
        known: &Known,
        is: Accepted,
    ) -> Result<(), PassError> {
        let open = known.items.iter().filter(|item| item.is_open());
        let ended = open.filter_map(|item| Some((item.code, no_longer_holds(item.code, is)?)));
        listed::resolve(self.ports, &booking.uid, ended.collect()).await
    }

    async fn list(
        &mut self,
        booking: &Booking,
        known: &Known,
        code: UnresolvedCode,
        detail: &str,
    ) -> Result<(), PassError> {
        let account = known.charge.as_ref().map(|charge| charge.account.clone());
        let finding = Finding::of(booking, code, account, detail.to_owned());
        listed::list(self.ports, finding, self.watched).await
    }

    /// Accepted, though it was cancelled or moved. A listing may show the booking as it was before a
    /// move that a later page tells of, so it is read again first.
    async fn revived(
        &mut self,
        booking: &Booking,
        gate: &Gate,
        known: &Known,
    ) -> Result<(), PassError> {
        let code = UnresolvedCode::Revived;
        if is_settled(&known.items, code) {
            return Ok(());
        }
        let open = known
            .items
            .iter()
            .any(|item| item.is_open() && item.code == code);
        let cancels = gate.terms.on_revived == OnRevived::Cancel;
        if open && !cancels {
            return Ok(());
        }
        let reference = booking.reference();
        let read = tokio::select! {
            biased;
            () = self.ports.stop.told() => return Ok(()),
            read = self.ports.calendar.get(&reference) => read,
        };
        match read {
            Ok(Reading::Is(now)) if now.status == Status::Accepted => {}
            Ok(_) => return Ok(()),
            Err(error) if crate::reconcile::observe::ends_the_pass(&error) => {
                return Err(error.into());
            }
            // It is looked at again by the next watch that sees it.
            Err(_) => return Ok(()),
        }
        if cancels && self.may_cancel(booking) {
            return self.cancel((booking, gate), Why::of(Code::Revived)).await;
        }
        self.list(booking, known, code, REVIVED).await
    }

    /// Nobody pays for it: charged, cancelled or left, as configured, and listed as long as it is
    /// unpaid.
    async fn unpaid(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        known: &Known,
        cause: Cause,
    ) -> Result<(), PassError> {
        let terms = &gate.terms;
        let is_old = |since: Time| booking.created < since;
        if cause == Cause::Others && terms.unmanaged_since.is_some_and(is_old) {
            return Ok(());
        }
        let mut detail = cause.word().to_owned();
        let mut listed = false;
        let what = match cause {
            // Whether it was paid for is not known: the ledger did not exist.
            Cause::Others | Cause::Again | Cause::OurConfirm if known.predates_ledger => {
                detail = format!("{detail}: it was made before the ledger began");
                Unmanaged::Report
            }
            Cause::Others
                if terms.unmanaged == Unmanaged::Cancel
                    && !self.is_accepted_by_others(booking).await? =>
            {
                Cause::Unclear.word().clone_into(&mut detail);
                Unmanaged::Report
            }
            Cause::Others | Cause::Again => terms.unmanaged,
            Cause::OurConfirm => Unmanaged::Charge,
            Cause::Unclear => Unmanaged::Report,
            Cause::Moved | Cause::SecondSuccessor => {
                listed = true;
                match self.judged(booking, terms.accepted_move).await? {
                    Judged::Keep => Unmanaged::Charge,
                    Judged::Later => return Ok(()),
                    Judged::Review(why) => {
                        detail = format!("{detail}; its gate asks for a review: {why}");
                        Unmanaged::Charge
                    }
                    Judged::Cancel(why) => {
                        return self
                            .cancel_or_list((booking, gate), known, cause, why)
                            .await;
                    }
                }
            }
        };
        match what {
            Unmanaged::Report => {}
            Unmanaged::Cancel => {
                let why = Why::of(Code::Unmanaged);
                return self
                    .cancel_or_list((booking, gate), known, cause, why)
                    .await;
            }
            Unmanaged::Charge => match self.charge((booking, gate), known, cause).await? {
                Some(0) if !listed => return Ok(()),
                Some(0) => {}
                Some(missing) => {
                    let missing = text::credits(missing);
                    detail = format!("{detail}; {missing} are missing for it");
                }
                None => detail = format!("{detail}: there is no account"),
            },
        }
        self.list(booking, known, cause.code(), &detail).await
    }

    /// Whether no confirm of ours can have accepted the booking. The confirm of one occurrence accepts its
    /// whole series, and a list shows that occurrence only while it is accepted. So the series is read before
    /// an occurrence is cancelled. When it cannot be read, the answer is no.
    async fn is_accepted_by_others(&mut self, booking: &Booking) -> Result<bool, PassError> {
        let Some(series) = &booking.series else {
            return Ok(true);
        };
        let siblings = match self.series.get(series) {
            Some(siblings) => siblings.clone(),
            None => {
                let siblings = self.read_series(series).await?;
                self.series.insert(series.clone(), siblings.clone());
                siblings
            }
        };
        let Some(siblings) = siblings.filter(|all| all.len() <= MAX_SIBLINGS) else {
            return Ok(false);
        };
        let known = self.known_beside(booking, siblings).await?;
        Ok(known.our_confirm == OurConfirm::No)
    }

    /// The occurrences of a series, whatever their status; none when they could not be read. In v1, which
    /// has no such reading, a confirm accepts one booking only.
    async fn read_series(&self, series: &RequestId) -> Result<Option<Vec<BookingUid>>, PassError> {
        let uid = series.uid();
        let read = tokio::select! {
            biased;
            () = self.ports.stop.told() => return Ok(None),
            read = self.ports.calendar.series(&uid) => read,
        };
        match read {
            Ok(all) => {
                let all = all.unwrap_or_default().into_iter();
                Ok(Some(all.map(|one| one.uid).collect()))
            }
            Err(error) if crate::reconcile::observe::ends_the_pass(&error) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn judged(&mut self, booking: &Booking, how: AcceptedMove) -> Result<Judged, PassError> {
        if how == AcceptedMove::Carry || !accepted_move::is_judged(self.policy, booking) {
            return Ok(Judged::Keep);
        }
        let problems = &mut self.watched.problems;
        accepted_move::judge(self.ports, self.policy, self.session, booking, problems).await
    }

    /// Takes one of the cancellations that the limit of declines still allows; when there is none, says
    /// so, once a watch. Every server refuses to cancel what is over.
    fn may_cancel(&mut self, booking: &Booking) -> bool {
        if booking.end <= (self.ports.clock)() {
            return false;
        }
        if self.cancels_left > 0 {
            self.cancels_left -= 1;
            return true;
        }
        tell_of_limit(self.watched);
        false
    }

    async fn cancel_or_list(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        known: &Known,
        cause: Cause,
        why: Why,
    ) -> Result<(), PassError> {
        if self.may_cancel(booking) {
            return self.cancel((booking, gate), why).await;
        }
        self.list(booking, known, cause.code(), cause.word()).await
    }

    async fn cancel(&mut self, of: (&Booking, &Gate), why: Why) -> Result<(), PassError> {
        let Some(id) = fresh_id(self.ports, &of.0.uid).await? else {
            return Ok(());
        };
        cancel::cancel(self.ports, self.policy, of, (id, why), self.watched).await
    }

    /// Takes what there is. The answer is how many credits are missing; none: there is no account.
    async fn charge(
        &mut self,
        (booking, gate): (&Booking, &Gate),
        known: &Known,
        cause: Cause,
    ) -> Result<Option<u64>, PassError> {
        let (now, one, gate) = ((self.ports.clock)(), booking.clone(), gate.clone());
        let (house, hash) = (self.policy.house.clone(), self.policy.hash.clone());
        let record = known.record.clone();
        let charged = self.ports.store.with(move |store| {
            charge(
                store,
                &one,
                (&gate, &house),
                record.as_ref(),
                cause,
                (now, &hash),
            )
        });
        let Some((account, credits, missing)) = charged.await? else {
            return Ok(None);
        };
        let text = format!(
            "accepted {}: {} charged",
            how(cause),
            text::credits(credits)
        );
        change(self.watched, booking, What::Charged, text);
        tracing::debug!(account = %account, missing, "charged what others accepted");
        Ok(Some(missing))
    }
}

/// Says, once a watch, that the limit of declines holds cancellations back.
pub(super) fn tell_of_limit(watched: &mut Watched) {
    let problems = &mut watched.problems;
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

fn how(cause: Cause) -> &'static str {
    match cause {
        Cause::Others | Cause::Again | Cause::Unclear => "by others",
        Cause::OurConfirm => "with its series",
        Cause::Moved | Cause::SecondSuccessor => "after a move",
    }
}

/// A name for one more decision about the booking: its own, or one with a number.
pub(super) async fn fresh_id(
    ports: &Ports<'_>,
    booking: &BookingUid,
) -> Result<Option<RequestId>, PassError> {
    let uid = booking.clone();
    let id = ports.store.with(move |store| free_id(store, &uid)).await;
    id.map_err(PassError::Store)
}

fn free_id(store: &dyn Store, booking: &BookingUid) -> Result<Option<RequestId>, StoreError> {
    // A request is charged once: what came back was held for another one.
    let charged = store.charge(booking)?.map(|charge| charge.request);
    for number in 1..=MAX_DECISIONS {
        let id = match number {
            1 => Some(RequestId::from(booking)),
            _ => RequestId::parse(&format!("{booking}~{number}")).ok(),
        };
        let Some(id) = id else { return Ok(None) };
        let there = store.request(&id)?;
        let is_free = there.is_none_or(|request| request.state == RequestState::Noted);
        if is_free && charged.as_ref() != Some(&id) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn known(
    store: &dyn Store,
    booking: &Booking,
    siblings: &[BookingUid],
) -> Result<Known, StoreError> {
    let mut our_confirm = OurConfirm::No;
    let of_siblings = siblings.iter().take(MAX_SIBLINGS);
    let mut asked: BTreeSet<RequestId> = booking.series.iter().cloned().collect();
    // What it replaced may have been decided under a name of its own, and is in no list any more.
    for uid in of_siblings.chain(&booking.rescheduled_from) {
        asked.extend(store.request_of(uid)?);
    }
    for id in asked {
        if let Some(request) = store.request(&id)? {
            our_confirm = our_confirm.max(confirmed_with(booking, &request));
        }
    }
    Ok(Known {
        charge: store.charge(&booking.uid)?,
        record: request_of(store, &booking.uid)?,
        items: store.unresolved_of(&booking.uid)?,
        our_confirm,
        predates_ledger: store.ledger_state()?.predates(booking.created),
    })
}

/// The booking as it may be written down: a PIN given with it is nobody's business.
fn without_pin<'a>(policy: &Policy, gate: &Gate, booking: &'a Booking) -> Cow<'a, Booking> {
    if gate.criteria.pin.is_none() {
        return Cow::Borrowed(booking);
    }
    let mut booking = booking.clone();
    pin::take(policy, &mut booking);
    Cow::Owned(booking)
}

fn change(watched: &mut Watched, booking: &Booking, what: What, text: String) {
    watched.record(Change {
        booking: booking.uid.clone(),
        account: None,
        what,
        text,
    });
}

/// Closes the note of a request that was left waiting and is over, or was answered by others.
fn close_note(
    store: &mut dyn Store,
    booking: &Booking,
    now: Time,
) -> Result<Option<&'static str>, PassError> {
    let record = request_of(store, &booking.uid).map_err(PassError::Store)?;
    let record = record.filter(|record| record.state == RequestState::Noted);
    let charge = store.charge(&booking.uid).map_err(PassError::Store)?;
    if record.is_none() || charge.is_some() {
        return Ok(None);
    }
    match &booking.status {
        Status::Pending if booking.end <= now => close(store, record, "it ended undecided", now),
        Status::Cancelled => close(store, record, "it was cancelled before it was decided", now),
        Status::Rejected => close(store, record, "it was declined at Cal.com", now),
        Status::Pending | Status::Accepted | Status::AwaitingHost | Status::Other(_) => Ok(None),
    }
}

fn close(
    store: &mut dyn Store,
    record: Option<Request>,
    why: &'static str,
    now: Time,
) -> Result<Option<&'static str>, PassError> {
    // A series is one request: it is closed by its last occurrence.
    let Some(record) = record.filter(|record| record.bookings.len() == 1) else {
        return Ok(None);
    };
    let reason = Reason {
        code: Code::Over,
        text: why.to_owned(),
    };
    let facts = ended(&record, reason);
    store.commit(now, facts, &[]).map_err(PassError::Commit)?;
    Ok(Some(why))
}

/// Takes what there is, never more: the account, what was charged, and what is missing.
fn charge(
    store: &mut dyn Store,
    booking: &Booking,
    (gate, house): (&Gate, &House),
    record: Option<&Request>,
    cause: Cause,
    (now, policy): (Time, &str),
) -> Result<Option<(AccountId, u64, u64)>, PassError> {
    let account = account(store, house, booking).map_err(PassError::Store)?;
    let id = free_id(store, &booking.uid).map_err(PassError::Store)?;
    let (Some(account), Some(id)) = (account, id) else {
        return Ok(None);
    };
    let cost = gate.price(house, booking, account.tier.as_deref(), 1);
    let credits = cost.min(account.available(now));
    let (parts, mut facts) = takes(&account, credits, now).expect("no more than is available");
    let (code, why) = match cause {
        Cause::Moved | Cause::SecondSuccessor => (
            Code::AcceptedMove,
            "accepted at once after a move, charged as it would have been",
        ),
        Cause::Others | Cause::Again | Cause::OurConfirm | Cause::Unclear => (
            Code::Unmanaged,
            "accepted by others, charged as it would have been",
        ),
    };
    facts.extend(settled_as(
        id,
        booking,
        gate,
        cost,
        (&account, parts),
        (code, why),
        record,
        (now, policy),
    ));
    let expected = [Expected {
        account: account.id.clone(),
        version: Some(account.version),
    }];
    store
        .commit(now, facts, &expected)
        .map_err(PassError::Commit)?;
    Ok(Some((account.id, credits, cost - credits)))
}

fn account(
    store: &dyn Store,
    house: &House,
    booking: &Booking,
) -> Result<Option<Account>, StoreError> {
    let Some(booker) = &booking.booker else {
        return Ok(None);
    };
    match store.resolve(&house.address_of(&booker.address))? {
        Some(id) => store.account(&id),
        None => Ok(None),
    }
}

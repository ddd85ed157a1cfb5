//! Updates the unresolved list: items that are over leave the list, items on the list are checked
//! again, and new ones are added once.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt, stream};

use super::WatchReport;
use super::observed_bookings::{ObservedBookings, READS_AT_ONCE};
use crate::domain::booking::{Booking, BookingRef, Fetched};
use crate::domain::fact::{Fact, UnresolvedFact};
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::time::{Time, truncate_to_millis};
use crate::domain::unresolved::{
    Resolver, UnresolvedBooking, UnresolvedCode, has_operator_resolution,
};
use crate::domain::watch::accepted_bookings::listed_until;
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::store_reads::applicable_unresolved_facts;
use crate::store::port::{Store, StoreError};

/// Items read from the store at once.
const PAGE: usize = 256;

/// The maximum number of bookings on the list that one audit reads individually. The others have
/// their turn when the first have left the list, or when a listing shows them.
const MAX_READS: usize = 200;

/// What was found about a booking.
#[derive(Debug, Clone)]
pub(super) struct UnresolvedFinding {
    pub booking: BookingRef,
    pub code: UnresolvedCode,
    pub account: Option<AccountId>,
    pub until: Time,
    /// The text that follows the word "accepted".
    pub detail: String,
}

impl UnresolvedFinding {
    /// Returns a finding about the booking, which ends with the booking.
    pub(super) fn new(
        booking: &Booking,
        code: UnresolvedCode,
        account: Option<AccountId>,
        detail: String,
    ) -> Self {
        Self {
            booking: booking.to_ref(),
            code,
            account,
            until: truncate_to_millis(listed_until(code, booking)),
            detail,
        }
    }

    /// Returns the fact that lists the finding, unless it is on the list already, an operator took
    /// it off, or its time is over.
    pub(super) fn into_fact(self, items: &[UnresolvedBooking], now: Time) -> Option<Fact> {
        let is_listed = |item: &UnresolvedBooking| {
            item.is_open() && item.code == self.code && item.until == Some(self.until)
        };
        let already_listed =
            items.iter().any(is_listed) || has_operator_resolution(items, self.code);
        (!already_listed && self.until > now).then_some(Fact::Unresolved(UnresolvedFact::Listed {
            booking: self.booking,
            code: self.code,
            account: self.account,
            until: Some(self.until),
            detail: format!("accepted {}", self.detail),
        }))
    }
}

/// Puts the finding on the list and reports it, once.
pub(super) async fn add_to_unresolved(
    ports: &Ports<'_>,
    finding: UnresolvedFinding,
    report: &mut WatchReport,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let finding_copy = finding.clone();
    let is_new = ports
        .store
        .transaction(now, move |store| {
            let uid = &finding.booking.uid;
            let items = store.unresolved_items_of(uid).map_err(PassError::Store)?;
            let was_open = items
                .iter()
                .any(|item| item.is_open() && item.code == finding.code);
            let fact = finding.clone().into_fact(&items, now);
            let is_new = fact.is_some() && !was_open;
            Ok::<_, PassError>((fact.into_iter().collect(), is_new))
        })
        .await?;
    if is_new {
        report.problems.push(Problem {
            code: finding_copy.code.as_str(),
            text: format!(
                "booking {} is accepted {}",
                finding_copy.booking.uid, finding_copy.detail
            ),
        });
    }
    Ok(())
}

/// Takes the items that no longer hold off the list.
pub(super) async fn resolve(
    ports: &Ports<'_>,
    booking: &BookingUid,
    items: Vec<(UnresolvedCode, &'static str)>,
) -> Result<(), PassError> {
    if items.is_empty() {
        return Ok(());
    }
    let facts = items.into_iter().map(|(code, why)| {
        Fact::Unresolved(UnresolvedFact::Resolved {
            booking: booking.clone(),
            code,
            reason: why.to_owned(),
            by: Resolver::Watch,
        })
    });
    let (now, facts): (Time, Vec<Fact>) = ((ports.clock)(), facts.collect());
    ports
        .store
        .transaction(now, move |store| {
            // An operator may have been quicker.
            let facts = applicable_unresolved_facts(store, &facts).map_err(PassError::Store)?;
            Ok((facts, ()))
        })
        .await
}

/// Takes the items that are over off the list, and returns the remaining bookings, each once.
pub(super) async fn read_open_bookings(ports: &Ports<'_>) -> Result<Vec<BookingRef>, PassError> {
    let now = (ports.clock)();
    let open_items = ports
        .store
        .transaction(now, move |store| resolve_past_items(store, now))
        .await?;
    let mut seen_uids = BTreeSet::new();
    let bookings = open_items.into_iter().map(|item| item.booking);
    Ok(bookings
        .filter(|booking| seen_uids.insert(booking.uid.clone()))
        .collect())
}

/// Returns the facts that take the items that are over off the list, and the remaining items.
fn resolve_past_items(
    store: &dyn Store,
    now: Time,
) -> Result<(Vec<Fact>, Vec<UnresolvedBooking>), PassError> {
    let open_items = read_all_items(store).map_err(PassError::Store)?;
    let is_over = |item: &UnresolvedBooking| item.until.is_some_and(|until| until <= now);
    let past_items = open_items.iter().filter(|item| is_over(item));
    let facts: Vec<Fact> = past_items
        .map(|item| {
            Fact::Unresolved(UnresolvedFact::Resolved {
                booking: item.booking.uid.clone(),
                code: item.code,
                reason: "the booking is over".to_owned(),
                by: Resolver::Watch,
            })
        })
        .collect();
    let remaining_items = open_items.iter().filter(|item| !is_over(item));
    Ok((facts, remaining_items.cloned().collect()))
}

fn read_all_items(store: &dyn Store) -> Result<Vec<UnresolvedBooking>, StoreError> {
    let mut items: Vec<UnresolvedBooking> = Vec::new();
    loop {
        let page = store.unresolved_items(items.last(), PAGE)?;
        let full = page.len() == PAGE;
        items.extend(page);
        if !full {
            return Ok(items);
        }
    }
}

/// Reads individually the bookings on the list that no listing has shown. Bookings that are gone
/// leave the list.
pub(super) async fn read_listed_bookings(
    ports: &Ports<'_>,
    bookings: &[BookingRef],
    observed_bookings: &mut ObservedBookings,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let missing = bookings
        .iter()
        .filter(|one| !observed_bookings.contains(&one.uid));
    let missing: Vec<BookingRef> = missing.take(MAX_READS).cloned().collect();
    let reads = missing
        .iter()
        .map(|booking| async move { (booking, ports.calendar.get(booking).await) }.boxed());
    let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(READS_AT_ONCE);
    while let Some((booking, read)) = reads.next().await {
        match read {
            Ok(Fetched::Found(read)) => observed_bookings.insert(*read),
            Ok(Fetched::Gone) => resolve_gone_booking(ports, &booking.uid).await?,
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(error) => problems.push(Problem {
                code: "unread-booking",
                text: format!(
                    "booking {}, which is on the unresolved list, could not be read: {error}",
                    booking.uid
                ),
            }),
        }
    }
    Ok(())
}

async fn resolve_gone_booking(ports: &Ports<'_>, uid: &BookingUid) -> Result<(), PassError> {
    let booking_uid = uid.clone();
    let items = ports
        .store
        .read(move |store| store.unresolved_items_of(&booking_uid))
        .await;
    let items = items.map_err(PassError::Store)?;
    let open_items = items.iter().filter(|item| item.is_open());
    let items = open_items.map(|item| (item.code, "the booking no longer exists at Cal.com"));
    resolve(ports, uid, items.collect()).await
}

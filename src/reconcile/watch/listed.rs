//! The unresolved list against the world: what is over leaves it, what is on it is looked at again,
//! and what is found goes on it once.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt, stream};

use super::Watched;
use super::look::{READS_AT_ONCE, Seen};
use crate::domain::booking::{Booking, BookingRef, Reading};
use crate::domain::fact::Fact;
use crate::domain::id::{AccountId, BookingUid};
use crate::domain::plan::Problem;
use crate::domain::time::{Time, kept};
use crate::domain::unresolved::{Resolver, Unresolved, UnresolvedCode, is_settled};
use crate::domain::watch::accepted::listed_until;
use crate::reconcile::observe::ends_the_pass;
use crate::reconcile::ports::{PassError, Ports};
use crate::store::port::{CommitError, Store, StoreError};

/// Items read from the store at once.
const PAGE: usize = 256;

/// Bookings on the list that one audit reads by name. The others have their turn when the first have
/// left the list, or when a listing shows them.
const MAX_READS: usize = 200;

/// What is found of a booking.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub booking: BookingRef,
    pub code: UnresolvedCode,
    pub account: Option<AccountId>,
    pub until: Time,
    /// Reads after "accepted".
    pub detail: String,
}

impl Finding {
    pub fn of(
        booking: &Booking,
        code: UnresolvedCode,
        account: Option<AccountId>,
        detail: String,
    ) -> Self {
        Self {
            booking: booking.reference(),
            code,
            account,
            until: kept(listed_until(code, booking)),
            detail,
        }
    }

    /// The fact, unless it is on the list already, an operator took it off, or it is over.
    pub fn fact(self, items: &[Unresolved], now: Time) -> Option<Fact> {
        let is_listed = |item: &Unresolved| {
            item.is_open() && item.code == self.code && item.until == Some(self.until)
        };
        let known = items.iter().any(is_listed) || is_settled(items, self.code);
        (!known && self.until > now).then_some(Fact::Unresolved {
            booking: self.booking,
            code: self.code,
            account: self.account,
            until: Some(self.until),
            detail: format!("accepted {}", self.detail),
        })
    }
}

/// Puts it on the list and tells of it, once.
pub(super) async fn list(
    ports: &Ports<'_>,
    finding: Finding,
    watched: &mut Watched,
) -> Result<(), PassError> {
    let now = (ports.clock)();
    let told = finding.clone();
    let is_new = ports
        .store
        .with(move |store| {
            let uid = &finding.booking.uid;
            let items = store.unresolved_of(uid).map_err(PassError::Store)?;
            let was_open = items
                .iter()
                .any(|item| item.is_open() && item.code == finding.code);
            let facts: Vec<Fact> = finding.fact(&items, now).into_iter().collect();
            let is_new = !facts.is_empty() && !was_open;
            store.commit(now, facts, &[]).map_err(PassError::Commit)?;
            Ok::<_, PassError>(is_new)
        })
        .await?;
    if is_new {
        watched.problems.push(Problem {
            code: told.code.as_str(),
            text: format!("booking {} is accepted {}", told.booking.uid, told.detail),
        });
    }
    Ok(())
}

/// Takes what no longer holds off the list.
pub(super) async fn resolve(
    ports: &Ports<'_>,
    booking: &BookingUid,
    items: Vec<(UnresolvedCode, &'static str)>,
) -> Result<(), PassError> {
    if items.is_empty() {
        return Ok(());
    }
    let facts = items.into_iter().map(|(code, why)| Fact::Resolved {
        booking: booking.clone(),
        code,
        reason: why.to_owned(),
        by: Resolver::Watch,
    });
    let (now, facts): (Time, Vec<Fact>) = ((ports.clock)(), facts.collect());
    let written = ports
        .store
        .with(move |store| store.commit(now, facts, &[]))
        .await;
    match written {
        // An operator was quicker.
        Ok(_) | Err(CommitError::Violation(_)) => Ok(()),
        Err(error) => Err(PassError::Commit(error)),
    }
}

/// Takes off what is over, and gives what is left: once for each booking.
pub(super) async fn open(ports: &Ports<'_>) -> Result<Vec<BookingRef>, PassError> {
    let now = (ports.clock)();
    let open = ports
        .store
        .with(move |store| without_over(store, now))
        .await?;
    let mut seen = BTreeSet::new();
    let bookings = open.into_iter().map(|item| item.booking);
    Ok(bookings
        .filter(|booking| seen.insert(booking.uid.clone()))
        .collect())
}

fn without_over(store: &mut dyn Store, now: Time) -> Result<Vec<Unresolved>, PassError> {
    let open = all(store).map_err(PassError::Store)?;
    let is_over = |item: &Unresolved| item.until.is_some_and(|until| until <= now);
    let over = open.iter().filter(|item| is_over(item));
    let facts: Vec<Fact> = over
        .map(|item| Fact::Resolved {
            booking: item.booking.uid.clone(),
            code: item.code,
            reason: "the booking is over".to_owned(),
            by: Resolver::Watch,
        })
        .collect();
    store.commit(now, facts, &[]).map_err(PassError::Commit)?;
    Ok(open.into_iter().filter(|item| !is_over(item)).collect())
}

fn all(store: &dyn Store) -> Result<Vec<Unresolved>, StoreError> {
    let mut all: Vec<Unresolved> = Vec::new();
    loop {
        let page = store.unresolved(all.last(), PAGE)?;
        let full = page.len() == PAGE;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// Reads by name what is on the list and no listing has shown. What is gone leaves the list.
pub(super) async fn read(
    ports: &Ports<'_>,
    open: &[BookingRef],
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let missing = open.iter().filter(|one| !seen.has(&one.uid));
    let missing: Vec<BookingRef> = missing.take(MAX_READS).cloned().collect();
    let reads = missing
        .iter()
        .map(|booking| async move { (booking, ports.calendar.get(booking).await) }.boxed());
    let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(READS_AT_ONCE);
    while let Some((booking, read)) = reads.next().await {
        match read {
            Ok(Reading::Is(read)) => seen.keep(*read),
            Ok(Reading::Gone) => gone(ports, &booking.uid).await?,
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
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

async fn gone(ports: &Ports<'_>, uid: &BookingUid) -> Result<(), PassError> {
    let asked = uid.clone();
    let items = ports
        .store
        .with(move |store| store.unresolved_of(&asked))
        .await;
    let items = items.map_err(PassError::Store)?;
    let open = items.iter().filter(|item| item.is_open());
    let items = open.map(|item| (item.code, "the booking is not at Cal.com any more"));
    resolve(ports, uid, items.collect()).await
}

//! Reads each series as a whole: one confirm answers all occurrences of a series, including those
//! that the list hides.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::{READS_AT_ONCE, is_undecided};
use crate::domain::booking::BookingStatus;
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::{Series, Snapshot};
use crate::reconcile::context::{PassError, Ports};
use crate::reconcile::memory_budget::MemoryBudget;
use crate::reconcile::pin::submitted::SubmittedPins;
use crate::reconcile::store_reads;

/// Loads the complete series of the pending occurrences, and the earlier decisions about the
/// occurrences that the list hides. The PINs that were given with the occurrences are kept apart
/// from the snapshot.
pub(super) async fn load_hidden_occurrences(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &mut Snapshot,
    budget: &mut MemoryBudget,
    submitted_pins: &mut SubmittedPins,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    snapshot.series = load_series(ports, policy, snapshot, budget, problems).await?;
    for series in snapshot.series.values_mut() {
        if let Series::Whole(all) = series {
            all.iter_mut()
                .for_each(|booking| submitted_pins.take_from(policy, booking));
        }
    }
    load_hidden_decisions(ports, snapshot).await
}

/// Reads the series of gated pending occurrences, each as a whole: a page may show only a part.
async fn load_series(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &Snapshot,
    budget: &mut MemoryBudget,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<RequestId, Series>, PassError> {
    let series_ids: BTreeSet<&RequestId> = snapshot
        .pending
        .iter()
        .map(|observed| &observed.booking)
        .filter(|booking| policy.require_gate(snapshot.key_user, booking).is_ok())
        .filter(|booking| is_undecided(snapshot, booking))
        .filter_map(|booking| booking.series.as_ref())
        .collect();
    let mut series_by_id = BTreeMap::new();
    let mut reads = Vec::new();
    for id in series_ids {
        reads.push(async move { (id, ports.calendar.series(&id.uid()).await) }.boxed());
    }
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some((id, read)) = reads.next().await {
        let series = match read {
            Ok(Some(all)) if budget.reserve_all(&all) => Series::Whole(all),
            Ok(Some(_)) => {
                let why = "no more bookings are kept at once";
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {id} is postponed: {why}"),
                });
                Series::Unread(why.to_owned())
            }
            Ok(None) => Series::Unread("this dialect does not show series".to_owned()),
            Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {id} could not be read: {error}"),
                });
                Series::Unread(error.to_string())
            }
        };
        series_by_id.insert(id.clone(), series);
    }
    Ok(series_by_id)
}

/// Loads the earlier decisions about occurrences that the list hides, because no list has named
/// these occurrences yet.
async fn load_hidden_decisions(
    ports: &Ports<'_>,
    snapshot: &mut Snapshot,
) -> Result<(), PassError> {
    let occurrences: Vec<(RequestId, BookingUid)> = snapshot
        .series
        .values()
        .flat_map(|series| match series {
            Series::Whole(all) => all.as_slice(),
            Series::Unread(_) => &[],
        })
        .filter(|booking| booking.status == BookingStatus::Pending)
        .map(|booking| (booking.request_id(), booking.uid.clone()))
        .collect();
    if occurrences.is_empty() {
        return Ok(());
    }
    let decisions = ports
        .store
        .read(move |store| store_reads::read_decisions(store, &occurrences))
        .await;
    let decisions = decisions.map_err(PassError::Store)?;
    snapshot.records.extend(decisions.records);
    snapshot.versions.requests.extend(decisions.versions);
    Ok(())
}

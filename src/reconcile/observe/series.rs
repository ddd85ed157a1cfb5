//! Series, each read whole: one confirm answers all of a series, also what the list hides.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::{READS_AT_ONCE, ends_the_pass, undecided};
use crate::domain::booking::Status;
use crate::domain::gate::Policy;
use crate::domain::id::{BookingUid, RequestId};
use crate::domain::plan::Problem;
use crate::domain::snapshot::{Series, Snapshot};
use crate::reconcile::known;
use crate::reconcile::ports::{PassError, Ports};
use crate::reconcile::room::Room;

/// The series of guarded pending occurrences, each read whole: what a page shows may be a part.
pub(super) async fn series(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &Snapshot,
    room: &mut Room,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<RequestId, Series>, PassError> {
    let wanted: BTreeSet<&RequestId> = snapshot
        .pending
        .iter()
        .map(|observed| &observed.booking)
        .filter(|booking| policy.guards(snapshot.me, booking).is_ok())
        .filter(|booking| undecided(snapshot, booking))
        .filter_map(|booking| booking.series.as_ref())
        .collect();
    let mut found = BTreeMap::new();
    let mut reads = Vec::new();
    for id in wanted {
        reads.push(async move { (id, ports.calendar.series(&id.uid()).await) }.boxed());
    }
    let mut reads = stream::iter(reads).buffered(READS_AT_ONCE);
    while let Some((id, read)) = reads.next().await {
        let series = match read {
            Ok(Some(all)) if room.take_all(&all) => Series::Whole(all),
            Ok(Some(_)) => {
                let why = "no more bookings are kept at once";
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {id} is left for later: {why}"),
                });
                Series::Unread(why.to_owned())
            }
            Ok(None) => Series::Unread("this dialect does not show series".to_owned()),
            Err(error) if ends_the_pass(&error) => return Err(error.into()),
            Err(error) => {
                problems.push(Problem {
                    code: "unread-series",
                    text: format!("series {id} could not be read: {error}"),
                });
                Series::Unread(error.to_string())
            }
        };
        found.insert(id.clone(), series);
    }
    Ok(found)
}

/// What was decided before of occurrences that the list hides: they were named by nobody yet.
pub(super) async fn hidden(ports: &Ports<'_>, snapshot: &mut Snapshot) -> Result<(), PassError> {
    let asked: Vec<(RequestId, BookingUid)> = snapshot
        .series
        .values()
        .flat_map(|series| match series {
            Series::Whole(all) => all.as_slice(),
            Series::Unread(_) => &[],
        })
        .filter(|booking| booking.status == Status::Pending)
        .map(|booking| (booking.request(), booking.uid.clone()))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let found = ports
        .store
        .with(move |store| known::records(store, &asked))
        .await;
    let found = found.map_err(PassError::Store)?;
    snapshot.records.extend(found.records);
    Ok(())
}

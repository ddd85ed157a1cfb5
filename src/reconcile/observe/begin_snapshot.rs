//! Begins the snapshot: the pending bookings, the earlier decisions about them, and the open intents.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;

use super::count_recent_declines;
use super::intents::load_open_intents;
use super::pending_list::{PendingListEnd, list_pending};
use crate::domain::booking::TimestampedBooking;
use crate::domain::expected::RecordVersions;
use crate::domain::gate::Policy;
use crate::domain::id::HostId;
use crate::domain::plan::Problem;
use crate::domain::snapshot::{OpenIntent, Snapshot};
use crate::reconcile::clock::clock_is_off;
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::memory_budget::MemoryBudget;
use crate::reconcile::pin::submitted::SubmittedPins;
use crate::reconcile::store_reads::StoredDecisions;

/// Reads the pending bookings and the open intents, and returns a snapshot that contains nothing
/// else yet. Also returns where reading the list of pending bookings ended. The PINs that were given
/// with the bookings are kept apart from the snapshot.
pub(super) async fn begin_snapshot(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    budget: &mut MemoryBudget,
    submitted_pins: &mut SubmittedPins,
    problems: &mut Vec<Problem>,
) -> Result<(Snapshot, PendingListEnd), PassError> {
    let me = session.me(ports).await?.id;
    let ledger = ports.store.read(|store| store.ledger_state()).await;
    let ledger = ledger.map_err(PassError::Store)?;
    let skipped_requests = &session.skipped_requests;
    let (mut pending, decisions, list_end) =
        list_pending(ports, policy, me, skipped_requests, budget, problems).await?;
    for observed in &mut pending {
        submitted_pins.take_from(policy, &mut observed.booking);
    }
    let limits = &policy.limits;
    let mut intents = load_open_intents(ports, limits, &pending, session, budget, problems).await?;
    for new_occurrence in intents
        .iter_mut()
        .flat_map(|open| &mut open.new_occurrences)
    {
        submitted_pins.take_from(policy, new_occurrence);
    }
    let mut snapshot = new_snapshot(ports, me, pending, decisions, intents);
    snapshot.recent_declines = count_recent_declines(ports, policy).await?;
    snapshot.restore_pending = ledger.restored_at.is_some();
    snapshot.paused_gates = ledger.pauses.of_gates(snapshot.now);
    snapshot.clock_skewed = clock_is_off(ports);
    Ok((snapshot, list_end))
}

/// Returns a snapshot of this instant with these bookings, decisions and intents.
fn new_snapshot(
    ports: &Ports<'_>,
    me: HostId,
    pending: Vec<TimestampedBooking>,
    decisions: StoredDecisions,
    intents: Vec<OpenIntent>,
) -> Snapshot {
    Snapshot {
        now: (ports.clock)(),
        key_user: me,
        series: BTreeMap::new(),
        accepted: Vec::new(),
        co_hosted: Vec::new(),
        pin_origins: BTreeMap::new(),
        buffers: BTreeMap::new(),
        event_types: BTreeMap::new(),
        accounts: HashMap::default(),
        accounts_by_address: HashMap::default(),
        records: decisions.records,
        versions: RecordVersions {
            requests: decisions.versions,
            charges: BTreeMap::new(),
        },
        carried_charges: BTreeMap::new(),
        moves: BTreeMap::new(),
        unclear_predecessors: BTreeSet::new(),
        counted_bookings: BTreeMap::new(),
        prior_requests: BTreeMap::new(),
        pin_results: BTreeMap::new(),
        lookups: BTreeMap::new(),
        source_failures: BTreeMap::new(),
        unresolved_bookings: BTreeMap::new(),
        recent_declines: 0,
        ledger_is_empty: decisions.ledger_is_empty,
        restore_pending: false,
        clock_skewed: false,
        paused_gates: BTreeMap::new(),
        pending,
        intents,
    }
}

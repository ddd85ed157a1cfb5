//! Asks the sources about bookers without an account, and opens the accounts of those who are
//! members. An account is opened before anything is planned, so that the request is decided like any
//! other member's. A booker about whom a source gave no answer is neither confirmed nor declined.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt, StreamExt, stream};

use super::defer_requests;
use super::lookups::order_requests;
use crate::domain::booking::Booking;
use crate::domain::gate::Policy;
use crate::domain::id::{Address, RequestId};
use crate::domain::member_change::{SourceReferences, SourceTerms, change_member};
use crate::domain::member_source::{MemberRecord, MemberSource};
use crate::domain::plan::Problem;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::{Span, Time};
use crate::reconcile::context::{PassError, Ports, Session};
use crate::reconcile::member_reads::read_known_member;
use crate::reconcile::store_reads::{self, AccountQuery};
use crate::source::client::{PassSources, SourceAnswer};
use crate::store::port::CommitError;

/// The maximum number of bookers that one pass asks about. Cached answers cost nothing and are not
/// counted.
const MAX_QUESTIONS: usize = 1_000;

/// How long a pass may begin further questions. A question that was sent before is waited for.
const MAX_ASKING: Span = Span::minutes(1);

/// The maximum number of bookers that are asked about at the same time.
const QUESTIONS_AT_ONCE: usize = 64;

/// Asks the sources about the bookers without an account, and opens the accounts of members. Returns
/// true if requests without an earlier record were left for a later pass.
pub(super) async fn open_accounts_of_members(
    ports: &Ports<'_>,
    policy: &Policy,
    session: &mut Session,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) -> Result<bool, PassError> {
    // While the ledger may be the wrong one, or time is in doubt, nothing new is written.
    if ports.sources.answers_nothing() || snapshot.restore_pending || snapshot.clock_skewed {
        return Ok(false);
    }
    let began = (ports.clock)();
    let is_stopped = || ports.stop.is_set() || (ports.clock)() - began > MAX_ASKING;
    let pass = &ports.sources.begin_pass(&is_stopped);
    let mut deferred: BTreeSet<RequestId> = BTreeSet::new();
    let questions = collect_questions((ports, pass), policy, session, snapshot, &mut deferred);
    let mut tasks = Vec::with_capacity(questions.len());
    for (request, booking) in &questions {
        let ask = async move { (request, booking, pass.ask(booking, ports.clock).await) };
        tasks.push(ask.boxed());
    }
    let mut answers = stream::iter(tasks).buffer_unordered(QUESTIONS_AT_ONCE);
    let mut members: BTreeMap<Address, (MemberSource, MemberRecord)> = BTreeMap::new();
    let mut failures: BTreeMap<String, (usize, String)> = BTreeMap::new();
    while let Some((request, booking, answer)) = answers.next().await {
        let Some(address) = booking.booker.as_ref().map(|who| &who.address) else {
            continue;
        };
        match answer {
            Some(SourceAnswer::Member { source, record }) => {
                members.insert(address.clone(), (*source, record));
            }
            Some(SourceAnswer::NoMember) => {}
            Some(SourceAnswer::NoAnswer { source, failure }) => {
                let why = format!(
                    "the source {source} did not say whether the booker is a member: {failure}"
                );
                snapshot.source_failures.insert(request.clone(), why);
                let why = failure.to_string();
                failures.entry(source).or_insert((0, why)).0 += 1;
            }
            None => {
                deferred.insert(request.clone());
            }
        }
    }
    drop(answers);
    problems.extend(failures.into_iter().map(no_answer_problem));
    if !members.is_empty() {
        let sources: BTreeMap<Address, String> = members
            .iter()
            .map(|(address, (source, _))| (address.clone(), source.name.clone()))
            .collect();
        open_accounts(ports, policy, snapshot, members, problems).await?;
        note_unopened(snapshot, &questions, &sources);
    }
    Ok(defer_unasked(snapshot, &deferred, problems))
}

/// Returns the requests of bookers without an account, with a booking of each, as many as one pass asks
/// about. The others are deferred.
fn collect_questions(
    (ports, pass): (&Ports<'_>, &PassSources<'_>),
    policy: &Policy,
    session: &mut Session,
    snapshot: &Snapshot,
    deferred: &mut BTreeSet<RequestId>,
) -> Vec<(RequestId, Booking)> {
    let now = (ports.clock)();
    let mut questions: Vec<(RequestId, Booking)> = Vec::new();
    let mut sent = 0;
    let last_asked = session.last_source_request.take();
    for (_, group) in order_requests(policy, snapshot, last_asked.as_ref()) {
        let booking = group.bookings[0];
        let is_unknown = booking
            .booker
            .as_ref()
            .is_some_and(|who| !snapshot.accounts_by_address.contains_key(&who.address));
        if !is_unknown {
            continue;
        }
        if !pass.is_cached(booking, now) {
            if sent >= MAX_QUESTIONS {
                deferred.insert(group.id.clone());
                continue;
            }
            sent += 1;
            if snapshot.records.contains_key(&group.id) {
                let last = (group.oldest_created_at, group.id.clone());
                session.last_source_request = Some(last);
            }
        }
        questions.push((group.id.clone(), booking.clone()));
    }
    questions
}

/// Opens an account for each member, or adds the address to the member's account, and adds the
/// accounts to the snapshot.
async fn open_accounts(
    ports: &Ports<'_>,
    policy: &Policy,
    snapshot: &mut Snapshot,
    members: BTreeMap<Address, (MemberSource, MemberRecord)>,
    problems: &mut Vec<Problem>,
) -> Result<(), PassError> {
    let others = |name: &str| -> BTreeSet<String> {
        let names = ports.sources.configs().map(|source| source.name.clone());
        names.filter(|other| other != name).collect()
    };
    let addresses: BTreeSet<Address> = members.keys().cloned().collect();
    let at: Time = (ports.clock)();
    for (address, (source, record)) in members {
        let name = source.name.clone();
        let terms = SourceTerms {
            other_sources: others(&name),
            source,
            freeze_stops_expiry: policy.global.spending.freeze_stops_expiry,
            now: at,
        };
        let opening = ports.store.transaction(at, move |store| {
            let main = record.address.as_ref().unwrap_or(&address);
            let known = read_known_member(store, &terms.source, main, &record);
            let known = known.map_err(PassError::Store)?;
            let mut references = SourceReferences::new(&terms.source.name, store.head().seq);
            let member = (main, &record);
            let change = change_member(&terms, member, &known, &mut references);
            Ok::<_, PassError>((change.facts, (change.opened, change.problems)))
        });
        let (is_new, member_problems) = match opening.await {
            Ok(opened) => opened,
            // The other bookers are decided all the same, and this one stays unknown.
            Err(PassError::Commit(CommitError::Violation(violation))) => {
                // The text names accounts.
                tracing::debug!(%violation, "a member's account was not opened");
                (false, vec!["the ledger does not allow it".to_owned()])
            }
            Err(error) => return Err(error),
        };
        if is_new && !ports.store.is_scratch() {
            tracing::info!(source = name, "opened the account of a member");
        }
        problems.extend(member_problems.into_iter().map(|text| Problem {
            code: "source-member",
            text: format!("source {name}: a member was not taken over whole: {text}"),
        }));
    }
    let query = AccountQuery::of_addresses(addresses);
    let read = ports
        .store
        .read(move |store| store_reads::read_accounts(store, &query));
    let loaded = read.await.map_err(PassError::Store)?;
    snapshot.accounts.extend(loaded.accounts);
    snapshot
        .accounts_by_address
        .extend(loaded.accounts_by_address);
    snapshot.ledger_is_empty = false;
    Ok(())
}

/// Keeps members whose account could not be opened from being declined as unknown.
fn note_unopened(
    snapshot: &mut Snapshot,
    questions: &[(RequestId, Booking)],
    sources: &BTreeMap<Address, String>,
) {
    for (request, booking) in questions {
        if let Some(booker) = &booking.booker
            && let Some(source) = sources.get(&booker.address)
            && !snapshot.accounts_by_address.contains_key(&booker.address)
        {
            let why = format!(
                "the source {source} names the booker as a member, and the account could not be \
                 opened"
            );
            snapshot.source_failures.insert(request.clone(), why);
        }
    }
}

fn no_answer_problem((source, (count, why)): (String, (usize, String))) -> Problem {
    let bookers = if count == 1 {
        "1 booker".to_owned()
    } else {
        format!("{count} bookers")
    };
    Problem {
        code: "source-failed",
        text: format!("source {source} gave no answer about {bookers}: {why}"),
    }
}

/// Leaves the requests for a later pass. Returns true if one of them has no earlier record.
fn defer_unasked(
    snapshot: &mut Snapshot,
    deferred: &BTreeSet<RequestId>,
    problems: &mut Vec<Problem>,
) -> bool {
    if deferred.is_empty() {
        return false;
    }
    problems.push(Problem {
        code: "too-many-questions",
        text: format!(
            "one pass asks the sources about {MAX_QUESTIONS} bookers, and for a minute: {} requests \
             are left for the next passes",
            deferred.len()
        ),
    });
    let mut ids = deferred.iter();
    let has_new = ids.any(|request| !snapshot.records.contains_key(request));
    defer_requests(snapshot, deferred);
    has_new
}

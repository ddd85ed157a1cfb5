//! Judging one booking from a file as if it were pending. Nothing is done, nothing is written, and
//! Cal.com is not asked: what it would say is assumed, and the answer names every assumption.

use std::collections::BTreeMap;

use super::parse;
use crate::calcom::file::{FromFile, read};
use crate::control::protocol::{Answer, EvaluateView, Refusal, SCHEMA};
use crate::daemon::views;
use crate::domain::booking::{Booking, Confirmation, EventType, Observed, Status};
use crate::domain::gate::Policy;
use crate::domain::id::HostId;
use crate::domain::plan::{Plan, plan};
use crate::domain::snapshot::{Series, Snapshot};
use crate::domain::text;
use crate::domain::time::Time;
use crate::reconcile::known;
use crate::store::port::Store;

/// The host of a booking that does not name one.
const NOBODY: HostId = HostId(0);

pub fn evaluate(
    store: &mut dyn Store,
    policy: &Policy,
    now: Time,
    file: &str,
    at: Option<&str>,
) -> Result<Answer, Refusal> {
    let at = at.map(|text| parse::time("--at", text)).transpose()?;
    let from_file = read(file).map_err(|why| parse::usage(format!("the file {why}")))?;
    let at = at.or(from_file.at).unwrap_or(now);
    let mut assumed = from_file.assumed.clone();
    let snapshot = snapshot(store, policy, at, from_file, &mut assumed)?;
    let Plan { steps, .. } = plan(&snapshot, policy);
    let [step] = steps.as_slice() else {
        return Err(parse::refused(
            "internal",
            "the booking gave no single decision; please report this with the file",
        ));
    };
    let request = &step.request;
    let told = (request.decision == crate::domain::decision::Decision::Decline)
        .then(|| text::joined(&request.reasons));
    Ok(Answer::Evaluate(EvaluateView {
        schema: SCHEMA,
        at: views::time(at),
        decision: views::step(request, "none"),
        findings: request.findings.iter().map(views::finding).collect(),
        told,
        assumed,
    }))
}

/// A world with this one booking in it.
fn snapshot(
    store: &mut dyn Store,
    policy: &Policy,
    at: Time,
    from_file: FromFile,
    assumed: &mut Vec<String>,
) -> Result<Snapshot, Refusal> {
    let mut booking = from_file.booking;
    if booking.status != Status::Pending {
        assumed.push("that it waits for an answer".to_owned());
        booking.status = Status::Pending;
    }
    booking.rescheduled_to = None;
    assumed.push("that no accepted booking overlaps".to_owned());
    let me = booking.host_id().unwrap_or(NOBODY);
    if booking.host_id().is_some() {
        assumed.push(format!("that the host ({me}) is the user of the API key"));
    }
    let kind = event_type(&booking, from_file.price);
    if from_file.price.is_none() && kind.is_some() {
        assumed.push("that the event type has no price".to_owned());
    }
    let people = known::people([&booking].into_iter(), &[]);
    let found = known::look_up(store, &people).map_err(|e| parse::store_failed(&e))?;
    let series = booking.series.iter().map(|id| {
        assumed.push("that the series has this one occurrence".to_owned());
        (id.clone(), Series::Whole(vec![booking.clone()]))
    });
    let series: BTreeMap<_, _> = series.collect();
    // A file is not a poll: nothing of the series is still to come.
    if booking.created > at - policy.limits.series_settle && !series.is_empty() {
        booking.created = at - policy.limits.series_settle;
    }
    let series = series
        .into_keys()
        .map(|id| (id, Series::Whole(vec![booking.clone()])))
        .collect();
    Ok(Snapshot {
        now: at,
        me,
        series,
        accepted: Vec::new(),
        event_types: kind.into_iter().map(|kind| (kind.id, Some(kind))).collect(),
        accounts: found.accounts,
        names: found.names,
        records: BTreeMap::new(),
        intents: Vec::new(),
        carried: found.carried,
        standing: BTreeMap::new(),
        asked: BTreeMap::new(),
        pins: BTreeMap::new(),
        lookups: BTreeMap::new(),
        ledger_is_empty: store.is_empty().map_err(|e| parse::store_failed(&e))?,
        pending: vec![Observed { booking, at }],
    })
}

fn event_type(booking: &Booking, price: Option<i64>) -> Option<EventType> {
    let kind = booking.event_type.as_ref()?;
    Some(EventType {
        id: kind.id,
        slug: kind.slug.clone().unwrap_or_default(),
        title: booking.title.clone(),
        length_minutes: u32::try_from(booking.length().num_minutes()).unwrap_or(0),
        price: price.unwrap_or(0),
        seated: booking.seated,
        recurring: booking.series.is_some(),
        confirmation: Confirmation::Unknown,
        verifies_address: None,
        questions: None,
    })
}

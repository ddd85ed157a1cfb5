//! Caches data of the calendar that rarely changes, from pass to pass.

use std::collections::{BTreeMap, BTreeSet};

use crate::calcom::port::{CallError, CurrentUser};
use crate::domain::booking::{Buffers, EventType};
use crate::domain::host_schedule::BuffersByEventType;
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::time::Span;
use crate::reconcile::context::{PassError, Ports, Session};

/// How long the data of an event type is valid: its price may change at any time.
const EVENT_TYPES_MAX_AGE: Span = Span::minutes(5);

impl Session {
    /// Returns the user that the key acts as, which is read once per process.
    pub(in crate::reconcile) async fn me(
        &mut self,
        ports: &Ports<'_>,
    ) -> Result<&CurrentUser, PassError> {
        if self.me.is_none() {
            self.me = Some(ports.calendar.current_user().await?);
        }
        Ok(self.me.as_ref().expect("it was just asked"))
    }

    /// Returns the buffers of all known event types.
    pub(super) fn buffers(&self) -> BuffersByEventType {
        let event_types = self.event_types.iter();
        event_types
            .filter_map(|(id, kind)| Some((*id, kind.as_ref()?.buffers)))
            .filter(|(_, buffers)| *buffers != Buffers::NONE)
            .collect()
    }

    /// Returns the event types, which are read again if they are too old.
    pub(in crate::reconcile) async fn event_types(
        &mut self,
        ports: &Ports<'_>,
        ids: BTreeSet<EventTypeId>,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<EventTypeId, Option<EventType>>, PassError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = (ports.clock)();
        let is_fresh = self
            .event_types_read_at
            .is_some_and(|at| now - at < EVENT_TYPES_MAX_AGE);
        if !is_fresh {
            self.event_types.clear();
            match ports.calendar.event_types().await {
                Ok(all) => {
                    self.event_types_read_at = Some(now);
                    self.event_types
                        .extend(all.into_iter().map(|kind| (kind.id, Some(kind))));
                }
                Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
                Err(error) => {
                    self.event_types_read_at = None;
                    problems.push(unread_event_types_problem(&error));
                    return Ok(BTreeMap::new());
                }
            }
        }
        // A team's event types are not among the user's own.
        for id in &ids {
            if self.event_types.contains_key(id) {
                continue;
            }
            match ports.calendar.event_type(*id).await {
                Ok(event_type) => {
                    self.event_types.insert(*id, event_type);
                }
                Err(error) if error.is_fatal_for_pass() => return Err(error.into()),
                Err(error) => problems.push(unread_event_types_problem(&error)),
            }
        }
        Ok(ids
            .into_iter()
            .filter_map(|id| Some((id, self.event_types.get(&id)?.clone())))
            .collect())
    }
}

fn unread_event_types_problem(error: &CallError) -> Problem {
    Problem {
        code: "unread-event-types",
        text: format!("the event types could not be read: {error}"),
    }
}

//! What the calendar says that rarely changes: remembered from pass to pass.

use std::collections::{BTreeMap, BTreeSet};

use super::is_fatal_for_pass;
use crate::calcom::port::{CallError, CurrentUser};
use crate::domain::booking::{Buffers, EventType};
use crate::domain::host_schedule::BuffersByEventType;
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::time::Span;
use crate::reconcile::context::{PassError, Ports, Session};

/// How long the calendar's word on an event type is good: its price may change at any time.
const EVENT_TYPES_MAX_AGE: Span = Span::minutes(5);

impl Session {
    /// Who the key acts as; asked once in a process.
    pub(in crate::reconcile) async fn me(
        &mut self,
        ports: &Ports<'_>,
    ) -> Result<&CurrentUser, PassError> {
        if self.me.is_none() {
            self.me = Some(ports.calendar.current_user().await?);
        }
        Ok(self.me.as_ref().expect("it was just asked"))
    }

    /// The buffers of all event types that are known.
    pub(super) fn buffers(&self) -> BuffersByEventType {
        let event_types = self.event_types.iter();
        event_types
            .filter_map(|(id, kind)| Some((*id, kind.as_ref()?.buffers)))
            .filter(|(_, buffers)| *buffers != Buffers::NONE)
            .collect()
    }

    /// What the calendar says of the event types, asked again when the last word is old.
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
                Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
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
                Err(error) if is_fatal_for_pass(&error) => return Err(error.into()),
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

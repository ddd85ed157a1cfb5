//! What the calendar says that rarely changes: remembered from pass to pass.

use std::collections::{BTreeMap, BTreeSet};

use super::ends_the_pass;
use crate::calcom::port::{CallError, Me};
use crate::domain::booking::{Buffers, EventType};
use crate::domain::id::EventTypeId;
use crate::domain::plan::Problem;
use crate::domain::taken::BuffersOf;
use crate::domain::time::Span;
use crate::reconcile::ports::{PassError, Ports, Session};

/// How long the calendar's word on an event type is good: its price may change at any time.
const EVENT_TYPES_FRESH: Span = Span::minutes(5);

impl Session {
    /// Who the key acts as; asked once in a process.
    pub(in crate::reconcile) async fn me(&mut self, ports: &Ports<'_>) -> Result<&Me, PassError> {
        if self.me.is_none() {
            self.me = Some(ports.calendar.me().await?);
        }
        Ok(self.me.as_ref().expect("it was just asked"))
    }

    /// The buffers of all event types that are known.
    pub(super) fn buffers(&self) -> BuffersOf {
        let kinds = self.event_types.iter();
        kinds
            .filter_map(|(id, kind)| Some((*id, kind.as_ref()?.buffers)))
            .filter(|(_, buffers)| *buffers != Buffers::NONE)
            .collect()
    }

    /// What the calendar says of the event types, asked again when the last word is old.
    pub(in crate::reconcile) async fn event_types(
        &mut self,
        ports: &Ports<'_>,
        kinds: BTreeSet<EventTypeId>,
        problems: &mut Vec<Problem>,
    ) -> Result<BTreeMap<EventTypeId, Option<EventType>>, PassError> {
        if kinds.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = (ports.clock)();
        let fresh = self.asked.is_some_and(|at| now - at < EVENT_TYPES_FRESH);
        if !fresh {
            self.event_types.clear();
            match ports.calendar.event_types().await {
                Ok(all) => {
                    self.asked = Some(now);
                    self.event_types
                        .extend(all.into_iter().map(|kind| (kind.id, Some(kind))));
                }
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(error) => {
                    self.asked = None;
                    problems.push(unread_event_types(&error));
                    return Ok(BTreeMap::new());
                }
            }
        }
        // A team's event types are not among the user's own.
        for id in &kinds {
            if self.event_types.contains_key(id) {
                continue;
            }
            match ports.calendar.event_type(*id).await {
                Ok(kind) => {
                    self.event_types.insert(*id, kind);
                }
                Err(error) if ends_the_pass(&error) => return Err(error.into()),
                Err(error) => problems.push(unread_event_types(&error)),
            }
        }
        Ok(kinds
            .into_iter()
            .filter_map(|id| Some((id, self.event_types.get(&id)?.clone())))
            .collect())
    }
}

fn unread_event_types(error: &CallError) -> Problem {
    Problem {
        code: "unread-event-types",
        text: format!("the event types could not be read: {error}"),
    }
}

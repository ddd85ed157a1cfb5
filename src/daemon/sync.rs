//! A sync: the members that sources list are read first, concurrently with everything else, and then
//! taken over in one visit to the store. Scheduled syncs, and those that operators ask for, are the
//! same.

use std::path::{Path, PathBuf};

use super::commands::members_sync::{self, ListedSource};
use super::commands::parse::usage;
use crate::config::recurrence::Recurrence;
use crate::control::protocol::members::{MembersSyncCommand, MembersSyncView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::domain::actor::{Actor, ActorInterface};
use crate::domain::gate::Policy;
use crate::domain::member_change::SourceTerms;
use crate::domain::member_source::MemberSource;
use crate::domain::plan::Problem;
use crate::domain::time::{Span, Time};
use crate::source::client::SourceClient;
use crate::store::port::Store;
use crate::store::transaction::Stamp;

/// The file's name in the state directory.
const FILE_NAME: &str = "synced";

/// How long the daemon waits after a scheduled sync in which a source gave no list.
pub const RETRY_PAUSE: Span = Span::minutes(5);

/// Lists the members of the sources that the command is about.
///
/// # Errors
/// Fails when there is no such source, or when it cannot list its members.
pub async fn list_requested(
    client: &SourceClient,
    command: &MembersSyncCommand,
) -> Result<Vec<ListedSource>, Refusal> {
    let can_list = |source: &&MemberSource| source.lists_members();
    let wanted: Vec<MemberSource> = match &command.source {
        None => client.configs().filter(can_list).cloned().collect(),
        Some(name) => {
            let mut configs = client.configs();
            let source = configs.find(|source| source.name == *name);
            let source = source.ok_or_else(|| {
                usage(format!(
                    "no source {name:?} is configured; see [[source]] in the configuration"
                ))
            })?;
            if !source.lists_members() {
                return Err(usage(format!(
                    "the source {name} cannot list its members: give it a url-all or a query-all"
                )));
            }
            vec![source.clone()]
        }
    };
    if wanted.is_empty() {
        return Err(usage(
            "no source that lists its members is configured; see [[source]] in the configuration",
        ));
    }
    Ok(list(client, wanted).await)
}

/// Returns true if a scheduled sync has something to do.
pub fn has_scheduled(sources: &[MemberSource]) -> bool {
    sources.iter().any(is_scheduled)
}

/// Lists the members of the sources that are synced by schedule.
pub async fn list_scheduled(client: &SourceClient) -> Vec<ListedSource> {
    let wanted = client.configs().filter(|source| is_scheduled(source));
    let wanted = wanted.cloned().collect();
    list(client, wanted).await
}

fn is_scheduled(source: &MemberSource) -> bool {
    source.sync && source.lists_members()
}

async fn list(client: &SourceClient, wanted: Vec<MemberSource>) -> Vec<ListedSource> {
    let mut listed = Vec::new();
    for source in wanted {
        let members = client.list(&source.name).await;
        let members = match members {
            Some(members) => members.map_err(|failure| failure.to_string()),
            None => Err("it is no longer configured".to_owned()),
        };
        let others = client.configs().map(|other| other.name.clone());
        listed.push(ListedSource {
            other_sources: others.filter(|other| *other != source.name).collect(),
            source,
            members,
        });
    }
    listed
}

/// Returns the stamp of a scheduled sync.
pub fn scheduled_stamp(now: Time) -> Stamp {
    Stamp {
        at: now,
        by: Some(Actor {
            uid: None,
            interface: ActorInterface::Daemon,
            name: None,
        }),
    }
}

/// Takes over what the sources list.
///
/// # Errors
/// Fails when the store cannot be read or written.
pub fn take_over(
    store: &mut dyn Store,
    stamp: &Stamp,
    (listed, policy): (&[ListedSource], &Policy),
    command: &MembersSyncCommand,
) -> Result<MembersSyncView, Refusal> {
    let mut sources = Vec::new();
    for one in listed {
        let terms = SourceTerms {
            source: one.source.clone(),
            other_sources: one.other_sources.clone(),
            freeze_stops_expiry: policy.global.spending.freeze_stops_expiry,
            now: stamp.at,
        };
        let synced = members_sync::sync_source(store, stamp, (one, &terms), command)?;
        sources.push(synced);
    }
    Ok(MembersSyncView {
        schema: SCHEMA,
        dry_run: command.dry_run,
        sources,
    })
}

/// Returns what an operator should know about a scheduled sync.
pub fn problems(view: &MembersSyncView) -> Vec<Problem> {
    let mut problems = Vec::new();
    for source in &view.sources {
        let name = &source.source;
        let failed = source.error.as_ref().map(|why| ("sync-failed", why));
        let refused = source.refused.as_ref().map(|why| ("sync-refused", why));
        problems.extend(
            failed
                .into_iter()
                .chain(refused)
                .map(|(code, why)| Problem {
                    code,
                    text: format!("the members of source {name} were not taken over: {why}"),
                }),
        );
        // The texts name members, and this one is logged.
        if !source.problems.is_empty() {
            problems.push(Problem {
                code: "sync-incomplete",
                text: format!(
                    "source {name}: {} findings were not taken over; see `maitred members sync \
                     --dry-run`",
                    source.problems.len()
                ),
            });
        }
    }
    problems
}

/// Logs what a sync changed, without names.
pub fn log_changes(view: &MembersSyncView) {
    for source in &view.sources {
        if source.opened + source.changed > 0 && source.refused.is_none() {
            tracing::info!(
                source = source.source,
                members = source.members,
                opened = source.opened,
                changed = source.changed,
                frozen = source.frozen,
                thawed = source.thawed,
                granted = source.granted,
                revoked = source.revoked,
                "members were taken over from a source"
            );
        }
    }
}

/// When the last scheduled sync began: a hint in a small file in the state directory. When the file
/// is lost, a sync comes too early.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncState {
    /// When the last sync began whose sources all gave a list; `None` before the first.
    pub last_sync: Option<Time>,
}

impl SyncState {
    /// Reads the state from the state directory.
    pub fn load(folder: &Path) -> Self {
        let text = std::fs::read_to_string(state_path(folder)).unwrap_or_default();
        Self {
            last_sync: text.trim().parse().ok(),
        }
    }

    /// Writes the state. A failure is only logged, because the next sync merely comes too early.
    pub fn save(self, folder: &Path) {
        let text = self.last_sync.map(|at| at.to_rfc3339()).unwrap_or_default();
        let new = folder.join(format!("{FILE_NAME}.new"));
        let done =
            std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, state_path(folder)));
        if let Err(error) = done {
            tracing::warn!("failed to write {}: {error}", state_path(folder).display());
        }
    }

    /// Returns when the next sync is due; one that never ran is due now.
    pub fn next_sync(self, schedule: &Recurrence, now: Time) -> Time {
        match self.last_sync {
            None => now,
            last => schedule.next_after(last, now),
        }
    }
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

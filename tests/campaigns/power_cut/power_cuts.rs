//! Where in a trace the power is cut: in each part of the ledger's life equally often, because the
//! short parts (a new segment, a marker) are the most dangerous.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::crash_image::KeepPolicy;
use super::trace::TraceOp;
use crate::rng::Rng;

/// What the ledger was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LedgerPhase {
    /// Nothing: the ledger is closed, or its process is gone.
    Idle,
    /// Opening, before there is a log.
    CreatingLog,
    /// Opening, before the projection is used: lock, torn tail, marker.
    Opening,
    /// Opening, with the projection: trusting it, or creating the first one.
    OpeningProjection,
    /// Opening, with a projection that was moved aside or is gone: rebuilding it from the log.
    RebuildingProjection,
    Committing,
    /// A commit's line was written and not yet synced.
    UnsyncedLine,
    /// Starting a new segment of the log.
    BeginningSegment,
    Closing,
}

/// Returns what the ledger was doing at each step of the trace.
pub fn phase_of_each_step(ops: &[TraceOp]) -> Vec<LedgerPhase> {
    let mut open: BTreeMap<i32, PathBuf> = BTreeMap::new();
    let mut now = LedgerPhase::Idle;
    let (mut has_log, mut has_commits) = (false, false);
    let mut all = Vec::new();
    for op in ops {
        let path = match op {
            TraceOp::Open { fd, path, .. } => {
                open.insert(*fd, path.clone());
                Some(path.clone())
            }
            TraceOp::Copy { fd, .. } | TraceOp::Close { fd } | TraceOp::Sync { fd, .. } => {
                open.get(fd).cloned()
            }
            TraceOp::Write { fd, .. } | TraceOp::SetLength { fd, .. } => open.get(fd).cloned(),
            TraceOp::MakeDir { path } | TraceOp::Remove { path } => Some(path.clone()),
            TraceOp::Rename { to, .. } => Some(to.clone()),
            TraceOp::Begin | TraceOp::Range | TraceOp::Note(_) => None,
        };
        now = next_phase(now, op, path.as_deref());
        has_commits |= matches!(op, TraceOp::Note(note) if notes_commits(note));
        if now == LedgerPhase::OpeningProjection && begins_rebuild(op, has_commits) {
            now = LedgerPhase::RebuildingProjection;
        }
        has_log |= path.is_some_and(|path| path.extension().is_some_and(|end| end == "jsonl"));
        all.push(match now {
            LedgerPhase::Opening if !has_log => LedgerPhase::CreatingLog,
            now => now,
        });
    }
    all
}

fn notes_commits(note: &str) -> bool {
    note.strip_prefix("there are ")
        .is_some_and(|seq| seq != "0")
}

/// Returns true if the projection is moved aside, or is created although there are commits.
fn begins_rebuild(op: &TraceOp, has_commits: bool) -> bool {
    match op {
        TraceOp::Rename { to, .. } => to.to_string_lossy().contains("/projection.doubtful-"),
        TraceOp::MakeDir { path } => has_commits && path.ends_with("projection"),
        TraceOp::Begin
        | TraceOp::Open { .. }
        | TraceOp::Copy { .. }
        | TraceOp::Close { .. }
        | TraceOp::Write { .. }
        | TraceOp::SetLength { .. }
        | TraceOp::Sync { .. }
        | TraceOp::Range
        | TraceOp::Remove { .. }
        | TraceOp::Note(_) => false,
    }
}

fn next_phase(now: LedgerPhase, op: &TraceOp, path: Option<&Path>) -> LedgerPhase {
    if let TraceOp::Note(note) = op {
        return match note.as_str() {
            "opening" => LedgerPhase::Opening,
            "closing" => LedgerPhase::Closing,
            "closed" => LedgerPhase::Idle,
            _ => LedgerPhase::Committing,
        };
    }
    if matches!(op, TraceOp::Begin) {
        return LedgerPhase::Idle;
    }
    let has = |text: &str| path.is_some_and(|path| path.to_string_lossy().contains(text));
    let is_write = matches!(op, TraceOp::Write { .. });
    match now {
        LedgerPhase::Opening if has("/projection") => LedgerPhase::OpeningProjection,
        LedgerPhase::Committing if has(".jsonl.new") => LedgerPhase::BeginningSegment,
        LedgerPhase::Committing | LedgerPhase::BeginningSegment
            if is_write && has(".jsonl") && !has(".new") =>
        {
            LedgerPhase::UnsyncedLine
        }
        LedgerPhase::UnsyncedLine if matches!(op, TraceOp::Sync { .. }) => LedgerPhase::Committing,
        LedgerPhase::Idle
        | LedgerPhase::CreatingLog
        | LedgerPhase::Opening
        | LedgerPhase::OpeningProjection
        | LedgerPhase::RebuildingProjection
        | LedgerPhase::Committing
        | LedgerPhase::UnsyncedLine
        | LedgerPhase::BeginningSegment
        | LedgerPhase::Closing => now,
    }
}

/// A moment at which the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerCut {
    /// The last step that takes place, counted from 1.
    pub step: usize,
    pub phase: LedgerPhase,
    /// What is kept of the data that was not synced, if this is not left to chance.
    pub keep: Option<KeepPolicy>,
}

/// Returns this many moments, in order: three with a known outcome (see [`certain_cuts`]), the
/// others at random. Random moments alone would sometimes miss a way to open.
pub fn choose_cuts(ops: &[TraceOp], count: usize, rng: &mut Rng) -> Vec<PowerCut> {
    let mut cuts = certain_cuts(ops);
    cuts.truncate(count);
    cuts.extend(random_cuts(ops, count - cuts.len(), rng));
    cuts.sort_by_key(|cut| cut.step);
    cuts
}

/// Returns this many moments, in order: one in each part of the ledger's life, then in any part.
pub fn random_cuts(ops: &[TraceOp], count: usize, rng: &mut Rng) -> Vec<PowerCut> {
    let mut by_doing: BTreeMap<LedgerPhase, Vec<usize>> = BTreeMap::new();
    for (step, doing) in phase_of_each_step(ops).into_iter().enumerate() {
        by_doing.entry(doing).or_default().push(step + 1);
    }
    let parts: Vec<(LedgerPhase, Vec<usize>)> = by_doing.into_iter().collect();
    let mut cuts: Vec<PowerCut> = (0..count)
        .map(|n| {
            let (doing, steps) = parts.get(n).unwrap_or_else(|| rng.pick(&parts));
            PowerCut {
                step: *rng.pick(steps),
                phase: *doing,
                keep: None,
            }
        })
        .collect();
    cuts.sort_by_key(|cut| cut.step);
    cuts
}

/// Returns moments after which it is known how the ledger opens, if the recording has them: after a
/// clean end, when there was nothing yet, and with a line of the log of which only the length is
/// there.
fn certain_cuts(ops: &[TraceOp]) -> Vec<PowerCut> {
    let doing = phase_of_each_step(ops);
    let cut = |wanted: &dyn Fn(&TraceOp, LedgerPhase) -> bool, keep| {
        let found = (0..ops.len()).rfind(|n| wanted(&ops[*n], doing[*n]))?;
        Some(PowerCut {
            step: found + 1,
            phase: doing[found],
            keep: Some(keep),
        })
    };
    let is_closed = |op: &TraceOp, _| matches!(op, TraceOp::Note(note) if note == "closed");
    let is_made = |_: &TraceOp, doing| doing == LedgerPhase::CreatingLog;
    let is_line = |op: &TraceOp, doing| {
        doing == LedgerPhase::UnsyncedLine && matches!(op, TraceOp::Write { .. })
    };
    let found = [
        cut(&is_closed, KeepPolicy::Nothing),
        cut(&is_made, KeepPolicy::Nothing),
        cut(&is_line, KeepPolicy::LengthOnly),
    ];
    found.into_iter().flatten().collect()
}

/// Returns the numbers, counted from 1, of all syncs of the trace that do not belong to the
/// projection.
pub fn log_syncs(ops: &[TraceOp]) -> Vec<u64> {
    let mut open: BTreeMap<i32, bool> = BTreeMap::new();
    let (mut count, mut found) = (0, Vec::new());
    for op in ops {
        match op {
            TraceOp::Open { fd, path, .. } => {
                let projections = path.to_string_lossy().contains("/projection");
                open.insert(*fd, projections);
            }
            TraceOp::Range => count += 1,
            TraceOp::Sync { fd, .. } => {
                count += 1;
                if !open[fd] {
                    found.push(count);
                }
            }
            TraceOp::Begin
            | TraceOp::Copy { .. }
            | TraceOp::Close { .. }
            | TraceOp::Write { .. }
            | TraceOp::SetLength { .. }
            | TraceOp::MakeDir { .. }
            | TraceOp::Remove { .. }
            | TraceOp::Rename { .. }
            | TraceOp::Note(_) => {}
        }
    }
    found
}

/// Returns how many commits certainly exist after these steps: those that were acknowledged, and
/// those that a process found when it opened the ledger, because the process acts on them. `None`:
/// not known yet.
pub fn acknowledged_commits(ops: &[TraceOp]) -> Option<u64> {
    ops.iter().rev().find_map(|op| match op {
        TraceOp::Note(note) => note.strip_prefix("there are ")?.parse().ok(),
        _ => None,
    })
}

//! Where in a trace the power is cut: in each part of the ledger's life as often as in any other, for
//! the short ones (a new segment, a marker) are where it hurts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::kept::Keep;
use super::rng::Rng;
use super::trace::Op;

/// What the ledger was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doing {
    /// Nothing: it is closed, or its process is gone.
    Resting,
    /// Opening, before there is a log.
    Making,
    /// Opening, before the fold is touched: lock, torn tail, marker.
    Opening,
    /// Opening, with the fold: trusting it, or making the first one.
    Folding,
    /// Opening, with a fold that was moved aside or is gone: making it anew from the log.
    Rebuilding,
    Committing,
    /// A commit's line was written and not synced yet.
    Line,
    /// Beginning a new segment of the log.
    Segment,
    Closing,
}

/// For each step of the trace, what the ledger was doing.
pub fn doing(ops: &[Op]) -> Vec<Doing> {
    let mut open: BTreeMap<i32, PathBuf> = BTreeMap::new();
    let mut now = Doing::Resting;
    let (mut has_log, mut has_commits) = (false, false);
    let mut all = Vec::new();
    for op in ops {
        let path = match op {
            Op::Open { fd, path, .. } => {
                open.insert(*fd, path.clone());
                Some(path.clone())
            }
            Op::Copy { fd, .. } | Op::Close { fd } | Op::Sync { fd, .. } => open.get(fd).cloned(),
            Op::Write { fd, .. } | Op::Length { fd, .. } => open.get(fd).cloned(),
            Op::MakeDir { path } | Op::Remove { path } => Some(path.clone()),
            Op::Rename { to, .. } => Some(to.clone()),
            Op::Begin | Op::Range | Op::Note(_) => None,
        };
        now = next(now, op, path.as_deref());
        has_commits |= matches!(op, Op::Note(note) if is_some_there(note));
        if now == Doing::Folding && begins_rebuild(op, has_commits) {
            now = Doing::Rebuilding;
        }
        has_log |= path.is_some_and(|path| path.extension().is_some_and(|end| end == "jsonl"));
        all.push(match now {
            Doing::Opening if !has_log => Doing::Making,
            now => now,
        });
    }
    all
}

fn is_some_there(note: &str) -> bool {
    note.strip_prefix("there are ")
        .is_some_and(|seq| seq != "0")
}

/// The fold is moved aside, or there is none though there are commits.
fn begins_rebuild(op: &Op, has_commits: bool) -> bool {
    match op {
        Op::Rename { to, .. } => to.to_string_lossy().contains("/fold.doubtful-"),
        Op::MakeDir { path } => has_commits && path.ends_with("fold"),
        Op::Begin
        | Op::Open { .. }
        | Op::Copy { .. }
        | Op::Close { .. }
        | Op::Write { .. }
        | Op::Length { .. }
        | Op::Sync { .. }
        | Op::Range
        | Op::Remove { .. }
        | Op::Note(_) => false,
    }
}

fn next(now: Doing, op: &Op, path: Option<&Path>) -> Doing {
    if let Op::Note(note) = op {
        return match note.as_str() {
            "opening" => Doing::Opening,
            "closing" => Doing::Closing,
            "closed" => Doing::Resting,
            _ => Doing::Committing,
        };
    }
    if matches!(op, Op::Begin) {
        return Doing::Resting;
    }
    let has = |text: &str| path.is_some_and(|path| path.to_string_lossy().contains(text));
    let is_write = matches!(op, Op::Write { .. });
    match now {
        Doing::Opening if has("/fold") => Doing::Folding,
        Doing::Committing if has(".jsonl.new") => Doing::Segment,
        Doing::Committing | Doing::Segment if is_write && has(".jsonl") && !has(".new") => {
            Doing::Line
        }
        Doing::Line if matches!(op, Op::Sync { .. }) => Doing::Committing,
        Doing::Resting
        | Doing::Making
        | Doing::Opening
        | Doing::Folding
        | Doing::Rebuilding
        | Doing::Committing
        | Doing::Line
        | Doing::Segment
        | Doing::Closing => now,
    }
}

/// A moment at which the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The last step that is still done, counted from 1.
    pub step: usize,
    pub doing: Doing,
    /// What is kept of all that was not synced, where that is not left to chance.
    pub keep: Option<Keep>,
}

/// So many moments, in order: three of which the outcome is known (see [`certain`]), the others by
/// chance. Chance alone would leave out a way to open now and then.
pub fn choose(ops: &[Op], count: usize, rng: &mut Rng) -> Vec<Cut> {
    let mut cuts = certain(ops);
    cuts.truncate(count);
    cuts.extend(by_chance(ops, count - cuts.len(), rng));
    cuts.sort_by_key(|cut| cut.step);
    cuts
}

/// So many moments, in order: one in each part of the ledger's life, then in any.
pub fn by_chance(ops: &[Op], count: usize, rng: &mut Rng) -> Vec<Cut> {
    let mut by_doing: BTreeMap<Doing, Vec<usize>> = BTreeMap::new();
    for (step, doing) in doing(ops).into_iter().enumerate() {
        by_doing.entry(doing).or_default().push(step + 1);
    }
    let parts: Vec<(Doing, Vec<usize>)> = by_doing.into_iter().collect();
    let mut cuts: Vec<Cut> = (0..count)
        .map(|n| {
            let (doing, steps) = parts.get(n).unwrap_or_else(|| rng.pick(&parts));
            Cut {
                step: *rng.pick(steps),
                doing: *doing,
                keep: None,
            }
        })
        .collect();
    cuts.sort_by_key(|cut| cut.step);
    cuts
}

/// Moments of which it is known how the ledger opens after them, where a recording has them: closed
/// in peace, when there was nothing yet, and with a line of the log of which only the length is there.
fn certain(ops: &[Op]) -> Vec<Cut> {
    let doing = doing(ops);
    let cut = |wanted: &dyn Fn(&Op, Doing) -> bool, keep| {
        let found = (0..ops.len()).rfind(|n| wanted(&ops[*n], doing[*n]))?;
        Some(Cut {
            step: found + 1,
            doing: doing[found],
            keep: Some(keep),
        })
    };
    let is_closed = |op: &Op, _| matches!(op, Op::Note(note) if note == "closed");
    let is_made = |_: &Op, doing| doing == Doing::Making;
    let is_line = |op: &Op, doing| doing == Doing::Line && matches!(op, Op::Write { .. });
    let found = [
        cut(&is_closed, Keep::Nothing),
        cut(&is_made, Keep::Nothing),
        cut(&is_line, Keep::Length),
    ];
    found.into_iter().flatten().collect()
}

/// Of all syncs of the trace, in order and counted from 1, those that are not the fold's.
pub fn syncs_of_the_log(ops: &[Op]) -> Vec<u64> {
    let mut open: BTreeMap<i32, bool> = BTreeMap::new();
    let (mut count, mut found) = (0, Vec::new());
    for op in ops {
        match op {
            Op::Open { fd, path, .. } => {
                let folds = path.to_string_lossy().contains("/fold");
                open.insert(*fd, folds);
            }
            Op::Range => count += 1,
            Op::Sync { fd, .. } => {
                count += 1;
                if !open[fd] {
                    found.push(count);
                }
            }
            Op::Begin
            | Op::Copy { .. }
            | Op::Close { .. }
            | Op::Write { .. }
            | Op::Length { .. }
            | Op::MakeDir { .. }
            | Op::Remove { .. }
            | Op::Rename { .. }
            | Op::Note(_) => {}
        }
    }
    found
}

/// How many commits there were for certain after so many steps: those that were acknowledged, and
/// those that a process found when it opened the ledger, for it acts on them. `None`: not known yet.
pub fn acknowledged(ops: &[Op]) -> Option<u64> {
    ops.iter().rev().find_map(|op| match op {
        Op::Note(note) => note.strip_prefix("there are ")?.parse().ok(),
        _ => None,
    })
}

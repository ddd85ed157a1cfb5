//! Renders the state of the ledger, its copies and its verification.

use super::layout::{PageLayout, format_count};
use crate::control::protocol::ledger::{
    BackupCheckView, CopyView, HeadView, LedgerView, VerifyView,
};

/// Renders the last commit of the log.
pub fn render_head(view: &HeadView) -> String {
    format!(
        "The log ends with commit {} ({}).\n",
        view.sequence, view.hash
    )
}

/// Renders what the ledger knows about itself.
pub fn render_ledger(view: &LedgerView, page: &PageLayout) -> String {
    let first_commit = view
        .first_commit_at
        .as_deref()
        .map(|at| page.format_second(at));
    let mut rows = vec![(
        "first commit",
        first_commit.unwrap_or_else(|| "none yet".to_owned()),
    )];
    let owner = (&view.server, view.account, &view.dialect);
    rows.push((
        "belongs to",
        match owner {
            (Some(server), Some(account), Some(dialect)) => {
                format!("account {account} at {server} ({dialect})")
            }
            (_, _, _) => "not recorded yet: the first pass records it".to_owned(),
        },
    ));
    if let Some(restored) = &view.restored_at {
        rows.push((
            "restored",
            format!(
                "at {}, and no operator has accepted it: nothing is confirmed or \
                 declined, and a watch only reports. Look at `maitred run --once --dry-run --watch`, then run `maitred ledger \
                 accept-restore --reason TEXT`",
                page.format_second(restored)
            ),
        ));
    }
    format!("The ledger\n{}", page.render_block(&rows))
}

/// Renders the result of a backup or a restore.
pub fn render_copy(view: &CopyView) -> String {
    let what = format!(
        "{} in {}, {} bytes",
        format_count(view.sequence, "commit"),
        format_count(view.files, "file"),
        view.bytes
    );
    let head = format!("The head is commit {}, {}.\n", view.sequence, view.hash);
    if view.kind != "backup" {
        let erased = match view.erased {
            0 => String::new(),
            persons => format!(
                "{} who {} erased since {} replaced by a pseudonym again.\n",
                format_count(persons, "person"),
                if persons == 1 { "was" } else { "were" },
                if persons == 1 { "was" } else { "were" },
            ),
        };
        let verb = if view.kind == "import" {
            "imported"
        } else {
            "restored"
        };
        let begin = format!(
            "The ledger in {} was {verb} from {} and checked: {what}.\n{head}{erased}",
            view.to, view.from
        );
        if !view.needs_acceptance {
            return format!(
                "{begin}It is not marked as restored: make sure that nothing uses the ledger where \
                 it came from.\n"
            );
        }
        format!(
            "{begin}What happened after \
             that is not in it, so nothing is confirmed or declined, and a watch writes and \
             cancels nothing, before you accept it. See with `maitred run --once --dry-run --watch` what would be done, set \
             right what is missing, then run `maitred ledger accept-restore --reason TEXT`.\n"
        )
    } else {
        let list = match view.erasures {
            0 => String::new(),
            erasures => format!(
                "The list of erased persons is included: {}.\n",
                format_count(erasures, "erasure")
            ),
        };
        format!(
            "The ledger was copied to {} and the copy checked: {what}.\n{head}{list}",
            view.to
        )
    }
}

/// Renders what a backup holds.
pub fn render_backup_check(view: &BackupCheckView, page: &PageLayout) -> String {
    let last = match (&view.last_commit_at, view.age_seconds) {
        (Some(at), Some(age)) => format!(
            "{} ({} ago)",
            page.format_second(at),
            humantime::format_duration(std::time::Duration::from_secs(age))
        ),
        (_, _) => "none".to_owned(),
    };
    let mut rows = vec![
        ("head", format!("commit {}, {}", view.sequence, view.hash)),
        ("last commit", last),
        (
            "contents",
            format!(
                "{}, {} bytes, {}",
                format_count(view.facts, "fact"),
                view.bytes,
                format_count(view.accounts, "account")
            ),
        ),
        (
            "credits",
            format!(
                "{} granted, {} available, {} held, {} posted, {} refunded, {} expired, {} revoked",
                view.granted,
                view.available,
                view.held,
                view.posted,
                view.refunded,
                view.expired,
                view.revoked
            ),
        ),
    ];
    if view.erased > 0 {
        let persons = format_count(view.erased, "person");
        rows.push((
            "erased since",
            format!("{persons}, whom a restore erases first"),
        ));
    }
    format!(
        "The backup in {} is intact and can be restored; nothing was written.\n{}",
        view.from,
        page.render_block(&rows)
    )
}

/// Renders the result of reading the whole log.
pub fn render_verification(view: &VerifyView) -> String {
    let counts = format!(
        "{} and {} were checked; the head is {}.\n",
        format_count(view.commits, "commit"),
        format_count(view.facts, "fact"),
        view.head
    );
    if view.differences.is_empty() && !view.projection_compared {
        return format!(
            "The log is intact. The projection is compared with it only while a daemon runs; \
             without a daemon, it is rebuilt whenever it may differ.\n{counts}"
        );
    }
    if view.differences.is_empty() {
        return format!("The log and the store agree.\n{counts}");
    }
    let mut text = format!(
        "The log and the store disagree: {}.\n",
        format_count(view.differences.len(), "difference")
    );
    for difference in &view.differences {
        text.push_str(&format!("  {difference}\n"));
    }
    text + &counts
}

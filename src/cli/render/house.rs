//! How the daemon and the ledger are.

use super::layout::{Page, count, second};
use crate::control::protocol::{PassHead, StatusView, VerifyView};

pub fn status(view: &StatusView, page: &Page) -> String {
    let at = |time: &str| match page.from_now(time) {
        Some(from_now) => format!("{} ({from_now})", second(time)),
        None => second(time),
    };
    let state = if view.paused {
        "is paused: no passes until `maitred resume`"
    } else {
        "is running"
    };
    let mut rows = vec![
        ("started", at(&view.started)),
        ("passes", view.passes.to_string()),
        (
            "last pass",
            view.last_pass
                .as_ref()
                .map_or_else(|| "none yet".to_owned(), |pass| last(pass, &at)),
        ),
    ];
    if let Some(error) = &view.last_error {
        rows.push(("problem", error.clone()));
    }
    let next = view.next_pass.as_deref();
    rows.push(("next pass", next.map_or_else(|| "none".to_owned(), at)));
    rows.push((
        "unfinished",
        match view.open_intents {
            0 => "nothing".to_owned(),
            open => count(open, "decision"),
        },
    ));
    rows.push(("log", count(view.log_sequence, "commit")));
    rows.push(("policy", view.policy.clone()));
    format!(
        "maitred {} {state} (process {}).\n{}",
        view.version,
        view.pid,
        page.block(&rows)
    )
}

fn last(pass: &PassHead, at: &dyn Fn(&str) -> String) -> String {
    format!(
        "{}; {} seen, {} to Cal.com",
        at(&pass.finished),
        count(pass.observed, "pending booking"),
        count(pass.calls, "call")
    )
}

pub fn verify(view: &VerifyView) -> String {
    let looked = format!(
        "{} and {} were looked at; the head is {}.\n",
        count(view.commits, "commit"),
        count(view.facts, "fact"),
        view.head
    );
    if view.differences.is_empty() {
        return format!("The log and the store agree.\n{looked}");
    }
    let mut text = format!(
        "The log and the store disagree: {}.\n",
        count(view.differences.len(), "difference")
    );
    for difference in &view.differences {
        text.push_str(&format!("  {difference}\n"));
    }
    text + &looked
}

//! Takes every sentence out of what is written, so that it can be seen that no decision rests on one.

use std::sync::Arc;

use maitred::domain::entry_reason::{EntryCode, EntryReason};
use maitred::domain::fact::Fact;
use maitred::domain::ledger_state::LedgerFact;

/// What stands for every sentence.
const WORD: &str = "x";

fn word(text: &mut String) {
    WORD.clone_into(text);
}

fn reason(reason: &mut EntryReason) {
    if let EntryCode::Words(words) = &mut reason.code {
        word(words);
    }
}

/// The fact without its sentences.
pub fn scrubbed(mut fact: Fact) -> Fact {
    match &mut fact {
        Fact::Grant { reason, .. }
        | Fact::Revoke { reason, .. }
        | Fact::Reviewed { reason, .. } => {
            word(reason);
        }
        Fact::Frozen { why: Some(why), .. } => word(why),
        Fact::Void { reason: why, .. }
        | Fact::Refund { reason: why, .. }
        | Fact::Closed { reason: why, .. } => reason(why),
        Fact::Decided { request } => {
            let request = Arc::make_mut(request);
            word(&mut request.title);
            for reason in &mut request.reasons {
                word(&mut reason.text);
            }
            if let Some(text) = &mut request.text {
                word(text);
            }
            for finding in &mut request.findings {
                word(&mut finding.detail);
            }
        }
        Fact::Called { call, .. } => word(&mut call.text),
        Fact::Unresolved { detail, .. } => word(detail),
        Fact::Resolved { reason, .. } => word(reason),
        Fact::Ledger(
            LedgerFact::Identified { reason, .. } | LedgerFact::RestoreAccepted { reason },
        ) => word(reason),
        Fact::Ledger(LedgerFact::Restored { .. })
        | Fact::Frozen { why: None, .. }
        | Fact::Opened { .. }
        | Fact::Aliased { .. }
        | Fact::Unaliased { .. }
        | Fact::Described { .. }
        | Fact::Pinned { .. }
        | Fact::Expire { .. }
        | Fact::Hold { .. }
        | Fact::Post { .. }
        | Fact::Move { .. }
        | Fact::Settled { .. } => {}
    }
    fact
}

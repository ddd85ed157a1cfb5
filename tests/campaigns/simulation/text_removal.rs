//! Removes every message text from what is written, to show that no decision rests on a text.

use std::sync::Arc;

use maitred::domain::entry_reason::{EntryCode, EntryReason};
use maitred::domain::fact::Fact;
use maitred::domain::ledger_state::LedgerFact;

/// Replaces every text.
const WORD: &str = "x";

fn replace_text(text: &mut String) {
    WORD.clone_into(text);
}

fn scrub_reason(reason: &mut EntryReason) {
    if let EntryCode::FreeText(words) = &mut reason.code {
        replace_text(words);
    }
}

/// Returns the fact without its texts.
pub fn scrub_fact(mut fact: Fact) -> Fact {
    match &mut fact {
        Fact::Grant { reason, .. }
        | Fact::Revoke { reason, .. }
        | Fact::RequestReviewed { reason, .. } => {
            replace_text(reason);
        }
        Fact::FreezeChanged {
            reason: Some(why), ..
        } => replace_text(why),
        Fact::Void { reason: why, .. }
        | Fact::Refund { reason: why, .. }
        | Fact::ChargeClosed { reason: why, .. } => scrub_reason(why),
        Fact::RequestDecided { request } => {
            let request = Arc::make_mut(request);
            replace_text(&mut request.title);
            for reason in &mut request.reasons {
                replace_text(&mut reason.text);
            }
            if let Some(text) = &mut request.booker_text {
                replace_text(text);
            }
            for finding in &mut request.findings {
                replace_text(&mut finding.detail);
            }
        }
        Fact::CallRecorded { call, .. } => replace_text(&mut call.text),
        Fact::UnresolvedListed { detail, .. } => replace_text(detail),
        Fact::UnresolvedResolved { reason, .. } => replace_text(reason),
        Fact::Ledger(
            LedgerFact::Identified { reason, .. } | LedgerFact::RestoreAccepted { reason },
        ) => replace_text(reason),
        Fact::Ledger(LedgerFact::Restored { .. })
        | Fact::FreezeChanged { reason: None, .. }
        | Fact::AccountOpened { .. }
        | Fact::AliasAdded { .. }
        | Fact::AliasRemoved { .. }
        | Fact::AccountDescribed { .. }
        | Fact::PinChanged { .. }
        | Fact::Expire { .. }
        | Fact::Hold { .. }
        | Fact::Post { .. }
        | Fact::Move { .. }
        | Fact::IntentSettled { .. } => {}
    }
    fact
}

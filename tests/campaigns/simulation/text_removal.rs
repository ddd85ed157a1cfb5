//! Removes every message text from what is written, to show that no decision rests on a text.

use std::sync::Arc;

use maitred::domain::entry_reason::{EntryCode, EntryReason};
use maitred::domain::fact::{
    AccountFact, ChargeFact, CreditFact, Fact, RequestFact, UnresolvedFact,
};
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
        Fact::Credit(
            CreditFact::Grant { reason, .. }
            | CreditFact::Revoke { reason, .. }
            | CreditFact::Transfer { reason, .. },
        )
        | Fact::Account(AccountFact::Closed { reason, .. } | AccountFact::Merged { reason, .. })
        | Fact::Request(RequestFact::Reviewed { reason, .. }) => {
            replace_text(reason);
        }
        Fact::Account(AccountFact::FreezeChanged {
            reason: Some(why), ..
        }) => replace_text(why),
        Fact::Charge(
            ChargeFact::Void { reason: why, .. }
            | ChargeFact::Refund { reason: why, .. }
            | ChargeFact::Closed { reason: why, .. },
        ) => scrub_reason(why),
        Fact::Request(RequestFact::Decided { request }) => {
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
        Fact::Request(RequestFact::CallRecorded { call, .. }) => replace_text(&mut call.text),
        Fact::Unresolved(UnresolvedFact::Listed { detail, .. }) => replace_text(detail),
        Fact::Unresolved(UnresolvedFact::Resolved { reason, .. }) => replace_text(reason),
        Fact::Ledger(
            LedgerFact::Identified { reason, .. }
            | LedgerFact::RestoreAccepted { reason }
            | LedgerFact::Paused { reason, .. },
        ) => replace_text(reason),
        Fact::By(actor) => actor.name = None,
        Fact::Ledger(LedgerFact::Restored { .. } | LedgerFact::Resumed { .. })
        | Fact::Account(
            AccountFact::FreezeChanged { reason: None, .. }
            | AccountFact::Opened { .. }
            | AccountFact::AliasAdded { .. }
            | AccountFact::AliasRemoved { .. }
            | AccountFact::Described { .. }
            | AccountFact::PinChanged { .. }
            | AccountFact::OverdraftChanged { .. }
            | AccountFact::Reopened { .. },
        )
        | Fact::Credit(CreditFact::Expire { .. })
        | Fact::Charge(
            ChargeFact::Hold { .. } | ChargeFact::Post { .. } | ChargeFact::Move { .. },
        )
        | Fact::Request(RequestFact::IntentSettled { .. }) => {}
    }
    fact
}

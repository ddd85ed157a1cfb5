//! Finds what keeps a request pending in spite of an operator's decision. A decision overrides the
//! criteria of the configuration, and never a missing credit, a taken time, or a booker or an
//! account that is not there (`domain::evaluation::operator_review`).

use super::parse;
use crate::control::protocol::Refusal;
use crate::control::protocol::pass::ReasonView;
use crate::domain::account::{Account, SpendPreview};
use crate::domain::decision::ReasonCode;
use crate::domain::evaluation::built_in_rule::ReasonTrait;
use crate::domain::evaluation::rules;
use crate::domain::gate::Policy;
use crate::domain::messages;
use crate::domain::request::{ChargeState, OperatorDecision, Request, RequestState};
use crate::domain::time::Time;
use crate::store::port::{Store, StoreError};

/// Returns why a pass would leave the request pending now, although an operator decided about it.
/// Accounts and credits are those of now; the rest is as the last pass saw it.
///
/// # Errors
/// Fails when the store cannot be read.
pub(super) fn find_obstacles(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    request: &Request,
) -> Result<Vec<ReasonView>, Refusal> {
    let Some(review) = &request.review else {
        return Ok(Vec::new());
    };
    if request.state != RequestState::Noted {
        return Ok(Vec::new());
    }
    let failed = |e: StoreError| parse::store_failed(&e);
    let mut obstacles = Vec::new();
    let state = store.ledger_state().map_err(failed)?;
    if state.restored_at.is_some() {
        let text = messages::RESTORE_OPEN.to_owned();
        obstacles.push(obstacle(ReasonCode::RestorePending, text));
    }
    if let Some(gate) = &request.gate
        && let Some(pause) = state.pauses.of_gate(gate, now)
    {
        let text = messages::gate_paused(gate, pause);
        obstacles.push(obstacle(ReasonCode::Paused, text));
    }
    obstacles.extend(recorded_obstacles(request, review.decision));
    if review.decision == OperatorDecision::Confirm {
        obstacles.extend(account_obstacle(store, policy, now, request).map_err(failed)?);
    }
    Ok(obstacles)
}

fn obstacle(code: ReasonCode, text: String) -> ReasonView {
    ReasonView {
        code: code.to_string(),
        text,
    }
}

/// Returns the objections of the last evaluation that the decision does not override.
fn recorded_obstacles(request: &Request, decision: OperatorDecision) -> Vec<ReasonView> {
    let is_obstacle = |code: ReasonCode| {
        // The ledger and the clock answer these now.
        let is_answered_now = matches!(
            code,
            ReasonCode::UnknownBooker
                | ReasonCode::ShortOfCredit
                | ReasonCode::AlreadyBegun
                | ReasonCode::Paused
        );
        !is_answered_now
            && match decision {
                OperatorDecision::Confirm => rules::protects_from_operators(code),
                OperatorDecision::Decline => rules::has_trait(code, ReasonTrait::OutOfScope),
            }
    };
    let failed_rules = request.findings.iter().filter(|finding| !finding.passed);
    let mut objections: Vec<(ReasonCode, &str)> = failed_rules
        .filter_map(|finding| Some((finding.code?, finding.detail.as_str())))
        .collect();
    if request.findings.is_empty() {
        let reasons = request.reasons.iter();
        objections.extend(reasons.map(|reason| (reason.code, reason.text.as_str())));
    }
    let obstacles = objections
        .into_iter()
        .filter(|(code, _)| is_obstacle(*code));
    obstacles
        .map(|(code, text)| obstacle(code, text.to_owned()))
        .collect()
}

/// Returns an obstacle if the booker has no account now, or an account with too few credits.
fn account_obstacle(
    store: &dyn Store,
    policy: &Policy,
    now: Time,
    request: &Request,
) -> Result<Option<ReasonView>, StoreError> {
    // A request without a booker has that obstacle already.
    let Some(booker) = &request.booker else {
        return Ok(None);
    };
    let Some(account) = find_account(store, policy, request)? else {
        let text = format!(
            "{booker} has no account; `maitred credits grant {booker} CREDITS` opens one, and \
             `maitred account alias ACCOUNT {booker}` gives the address to an account"
        );
        return Ok(Some(obstacle(ReasonCode::UnknownBooker, text)));
    };
    let carried = match &request.predecessor {
        Some(from) => store.charge(from)?,
        None => None,
    };
    let carried = carried.filter(|charge| charge.state == ChargeState::Open);
    let carried = carried.map_or(0, |charge| charge.credits());
    let to_hold = request.credits.saturating_sub(carried);
    // The same lots may pay, and as much may be lent, as in the plan.
    let spending = &policy.global.spending;
    let purpose = spending.purpose(now, request.gate.as_deref(), request.start);
    let preview = SpendPreview::new(&account);
    let available = preview.available(&purpose);
    let lendable = preview.lendable(spending.overdraft_limit(&account));
    if available.saturating_add(lendable) >= to_hold {
        return Ok(None);
    }
    let missing = to_hold - available - lendable;
    let text = format!(
        "account {} has {} available, and a confirm costs {to_hold}; `maitred credits grant {} \
         {missing}` covers it",
        account.id,
        messages::format_credits(available),
        account.id
    );
    Ok(Some(obstacle(ReasonCode::ShortOfCredit, text)))
}

fn find_account(
    store: &dyn Store,
    policy: &Policy,
    request: &Request,
) -> Result<Option<Account>, StoreError> {
    let id = match (&request.account, &request.booker) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(booker)) => store.resolve(&policy.global.address_of(booker))?,
        (None, None) => None,
    };
    id.map_or(Ok(None), |id| store.account(&id))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::test_fixtures::{
        commit_facts, grant_credits, noted_request, now, policy, record_decision,
        store_with_credits,
    };
    use super::*;
    use crate::domain::decision::Finding;
    use crate::domain::fact::{AccountFact, CreditFact, Fact, RequestFact};
    use crate::domain::id::{AccountId, Address, Reference, RequestId};
    use crate::domain::ledger_state::LedgerFact;
    use crate::domain::lot::LotTerms;
    use crate::domain::time::Span;
    use crate::store::memory::MemoryStore;

    fn finding(rule: &'static str, code: ReasonCode) -> Finding {
        Finding {
            rule: Cow::Borrowed(rule),
            code: Some(code),
            passed: false,
            detail: "it failed".to_owned(),
        }
    }

    /// Records the request and an operator's decision, and returns the codes of the obstacles.
    fn obstacle_codes(
        store: &mut MemoryStore,
        request: Request,
        decision: OperatorDecision,
    ) -> Vec<String> {
        record_decision(store, request);
        let id = RequestId::parse("a").expect("a name");
        let reviewed = Fact::Request(RequestFact::Reviewed {
            request: id.clone(),
            decision,
            reason: "agreed".to_owned(),
        });
        commit_facts(store, vec![reviewed]);
        let request = store.request(&id).expect("it reads").expect("it is there");
        let found = find_obstacles(store, &policy(), now(), &request).expect("it reads");
        found.into_iter().map(|one| one.code).collect()
    }

    #[test]
    fn a_decision_is_not_promised_to_override_what_no_operator_overrides() {
        use OperatorDecision::{Confirm, Decline};
        let failing = |findings: &[(&'static str, ReasonCode)]| Request {
            findings: findings
                .iter()
                .map(|(rule, code)| finding(rule, *code))
                .collect(),
            ..noted_request("a")
        };
        let stranger = Request {
            booker: Address::parse("di@example.com").ok(),
            account: None,
            ..failing(&[("member", ReasonCode::UnknownBooker)])
        };
        let without_booker = Request {
            booker: None,
            account: None,
            ..failing(&[("booker", ReasonCode::NoBooker)])
        };
        let hours = failing(&[("hours", ReasonCode::OutsideHours)]);
        let rows: [(u64, Request, OperatorDecision, &[&str]); 10] = [
            // A request costs 2 credits.
            (2, hours.clone(), Confirm, &[]),
            (1, hours, Confirm, &["short-of-credit"]),
            (1, failing(&[]), Decline, &[]),
            (2, noted_request("a"), Confirm, &[]),
            (
                9,
                failing(&[("credit", ReasonCode::ShortOfCredit)]),
                Confirm,
                &[],
            ),
            (
                1,
                failing(&[("time-free", ReasonCode::TimeTaken)]),
                Confirm,
                &["taken", "short-of-credit"],
            ),
            (2, stranger.clone(), Confirm, &["unknown-booker"]),
            (2, stranger, Decline, &[]),
            (2, without_booker, Confirm, &["no-booker"]),
            (
                2,
                failing(&[("free-of-charge", ReasonCode::Priced)]),
                Decline,
                &["priced"],
            ),
        ];
        for (number, (credits, request, decision, expect)) in rows.into_iter().enumerate() {
            let mut store = store_with_credits(credits);
            let codes = obstacle_codes(&mut store, request, decision);
            assert_eq!(codes, expect, "row {number}");
        }
    }

    /// The plan confirms by the same lots and the same overdraft.
    #[test]
    fn an_overdraft_covers_and_a_lot_of_another_gate_does_not() {
        let mut store = store_with_credits(1);
        let account = AccountId::parse("bo@example.com").expect("a name");
        let confirm = OperatorDecision::Confirm;
        let limit = |limit| {
            Fact::Account(AccountFact::OverdraftChanged {
                account: account.clone(),
                limit: Some(limit),
            })
        };
        commit_facts(&mut store, vec![limit(1)]);
        let codes = obstacle_codes(&mut store, noted_request("a"), confirm);
        assert_eq!(codes, [""; 0], "it costs 2 credits");
        let mut other = LotTerms::default();
        other.gates.insert("another".to_owned());
        let grant = Fact::Credit(CreditFact::Grant {
            reference: Reference::parse("g2").expect("a reference"),
            account: account.clone(),
            credits: 5,
            expires: None,
            terms: other,
            reason: String::new(),
        });
        commit_facts(&mut store, vec![limit(0), grant]);
        let codes = obstacle_codes(&mut store, noted_request("a"), confirm);
        assert_eq!(codes, ["short-of-credit"]);
    }

    #[test]
    fn an_account_that_was_opened_since_the_last_pass_counts() {
        let mut store = store_with_credits(2);
        let stranger = Request {
            booker: Address::parse("di@example.com").ok(),
            account: None,
            findings: vec![finding("member", ReasonCode::UnknownBooker)],
            ..noted_request("a")
        };
        grant_credits(&mut store, "di@example.com", 1, "g2");
        let codes = obstacle_codes(&mut store, stranger, OperatorDecision::Confirm);
        assert_eq!(codes, ["short-of-credit"]);
    }

    #[test]
    fn a_restored_backup_keeps_every_request_pending() {
        let mut store = store_with_credits(2);
        let restored = Fact::Ledger(LedgerFact::Restored { commit: 1 });
        commit_facts(&mut store, vec![restored]);
        for decision in [OperatorDecision::Confirm, OperatorDecision::Decline] {
            let codes = obstacle_codes(&mut store, noted_request("a"), decision);
            assert_eq!(codes, ["restore-open"], "{decision:?}");
        }
    }

    #[test]
    fn a_pause_of_its_gate_keeps_a_request_pending_until_the_pause_ends() {
        let request = noted_request("a");
        let gate = request.gate.clone();
        let paused = |until| {
            Fact::Ledger(LedgerFact::Paused {
                gate: gate.clone(),
                until: Some(until),
                reason: "away".to_owned(),
            })
        };
        let rows = [
            (now() + Span::hours(1), vec!["paused"]),
            (now() - Span::hours(1), Vec::new()),
        ];
        for (until, expect) in rows {
            for decision in [OperatorDecision::Confirm, OperatorDecision::Decline] {
                let mut store = store_with_credits(2);
                commit_facts(&mut store, vec![paused(until)]);
                let codes = obstacle_codes(&mut store, request.clone(), decision);
                assert_eq!(codes, expect, "{until} {decision:?}");
            }
        }
    }
}

//! Which notifications follow from facts and from the passing of time.

use std::sync::Arc;

use super::fixtures::{
    account, account_id, account_with_lots, address, at_minute, booking_ref, grant_reference,
    intent, lot, modify, now, part, request_id,
};
use crate::domain::account::Account;
use crate::domain::decision::{Decision, DecisionOutcome, Reason, ReasonCode};
use crate::domain::entry_reason::EntryCode;
use crate::domain::fact::{ChargeFact, CreditFact, Fact, RequestFact, UnresolvedFact};
use crate::domain::notification::event::{
    BookerAnswer, Notification, NotificationContent, NotificationOrigin,
};
use crate::domain::notification::from_facts::{
    FactPlace, RelatedRecords, is_news_of_low_balance, notification_of_fact, related_ids,
};
use crate::domain::notification::from_time::{DueWindow, credits_expiring, review_waiting};
use crate::domain::notification::target::NotificationTerms;
use crate::domain::request::{CallKind, OperatorDecision, OperatorReview, Request, RequestState};
use crate::domain::time::{Span, Time};
use crate::domain::unresolved::{UnresolvedBooking, UnresolvedCode, UnresolvedState};

const PLACE_SEQ: u64 = 7;

const LOW_BALANCE: u64 = 3;

fn terms() -> NotificationTerms {
    NotificationTerms {
        review_waiting: Span::hours(4),
        failing_after: Span::minutes(15),
        low_balance: LOW_BALANCE,
        credits_expiring: Span::days(7),
    }
}

fn noted(decision: Decision) -> Request {
    modify(intent("r", &["b"]), |request| {
        request.decision = decision;
        request.state = RequestState::Noted;
        request.call = None;
        request.reasons = vec![Reason {
            code: ReasonCode::NoticeTooShort,
            text: "it is too late".to_owned(),
        }];
    })
}

fn decided(request: Request) -> Fact {
    Fact::Request(RequestFact::Decided {
        request: Arc::new(request),
    })
}

fn settled(outcome: DecisionOutcome) -> Fact {
    Fact::Request(RequestFact::IntentSettled {
        request: request_id("r"),
        outcome,
    })
}

fn listed(code: UnresolvedCode) -> Fact {
    Fact::Unresolved(UnresolvedFact::Listed {
        booking: booking_ref("b"),
        code,
        account: None,
        until: None,
        detail: "found".to_owned(),
    })
}

fn item(code: UnresolvedCode, since: Time) -> UnresolvedBooking {
    UnresolvedBooking {
        booking: booking_ref("b"),
        code,
        account: None,
        until: None,
        detail: String::new(),
        since,
        state: UnresolvedState::Open,
    }
}

fn revoked(credits: u64) -> Fact {
    Fact::Credit(CreditFact::Revoke {
        reference: grant_reference("take"),
        account: account_id("bo@example.com"),
        parts: vec![part("g", credits)],
        reason: String::new(),
    })
}

fn derive(fact: &Fact, records: &RelatedRecords) -> Option<Notification> {
    let place = FactPlace {
        seq: PLACE_SEQ,
        index: 2,
        at: now(),
    };
    notification_of_fact(place, fact, records, LOW_BALANCE, now())
}

/// Returns the kind, and for a decision also what the member reads.
fn summary(notification: Option<&Notification>) -> String {
    let Some(notification) = notification else {
        return "nothing".to_owned();
    };
    let kind = notification.kind();
    match &notification.content {
        NotificationContent::Decision { answer, .. } => format!("{kind} {}", answer.as_str()),
        _ => kind.to_string(),
    }
}

#[test]
fn notifications_follow_from_facts() {
    let none = RelatedRecords::default();
    let was_in_review = RelatedRecords {
        earlier_decision: Some(noted(Decision::Review)),
        ..none.clone()
    };
    let was_left = RelatedRecords {
        earlier_decision: Some(noted(Decision::Leave)),
        ..none.clone()
    };
    let with_item = |code, since| RelatedRecords {
        unresolved: vec![item(code, since)],
        ..none.clone()
    };
    let of_member = RelatedRecords {
        request: Some(intent("r", &["b"])),
        account: Some(account("bo@example.com", 1)),
        ..none.clone()
    };
    let of_stranger = RelatedRecords {
        account: None,
        ..of_member.clone()
    };
    let of_cancellation = RelatedRecords {
        request: Some(modify(intent("r", &["b"]), |request| {
            request.decision = Decision::Decline;
            request.call = Some(CallKind::Cancel);
            request.reasons = vec![Reason {
                code: ReasonCode::Unmanaged,
                text: String::new(),
            }];
        })),
        ..of_member.clone()
    };
    let with_credits = |credits| RelatedRecords {
        account: Some(account("bo@example.com", credits)),
        ..none.clone()
    };
    let hold = Fact::Charge(ChargeFact::Hold {
        lent: 0,
        booking: booking_ref("b"),
        request: request_id("r"),
        account: account_id("bo@example.com"),
        parts: vec![part("g", 1)],
        event_type: None,
        host: None,
        start: at_minute(60),
        end: at_minute(90),
        terms: None,
    });
    let grant = Fact::Credit(CreditFact::Grant {
        terms: Default::default(),
        reference: grant_reference("g"),
        account: account_id("bo@example.com"),
        credits: 1,
        expires: None,
        reason: String::new(),
    });
    let rows: [(Fact, &RelatedRecords, &str); 24] = [
        (decided(noted(Decision::Review)), &none, "review-needed"),
        (decided(noted(Decision::Review)), &was_left, "review-needed"),
        (decided(noted(Decision::Review)), &was_in_review, "nothing"),
        (decided(noted(Decision::Leave)), &none, "nothing"),
        (decided(intent("r", &["b"])), &none, "nothing"),
        (
            settled(DecisionOutcome::Confirmed),
            &of_member,
            "decision confirmed",
        ),
        (
            settled(DecisionOutcome::Declined),
            &of_member,
            "decision declined",
        ),
        (
            settled(DecisionOutcome::Declined),
            &of_cancellation,
            "decision cancelled",
        ),
        (settled(DecisionOutcome::Superseded), &of_member, "nothing"),
        (settled(DecisionOutcome::Refused), &of_member, "nothing"),
        (settled(DecisionOutcome::Declined), &of_stranger, "nothing"),
        (
            listed(UnresolvedCode::Unmanaged),
            &none,
            "unmanaged-booking",
        ),
        (
            listed(UnresolvedCode::Unmanaged),
            &with_item(UnresolvedCode::Unmanaged, now()),
            "unmanaged-booking",
        ),
        (
            listed(UnresolvedCode::Unmanaged),
            &with_item(UnresolvedCode::Revived, at_minute(-5)),
            "unmanaged-booking",
        ),
        // The item was there before, and was only updated.
        (
            listed(UnresolvedCode::Unmanaged),
            &with_item(UnresolvedCode::Unmanaged, at_minute(-5)),
            "nothing",
        ),
        (listed(UnresolvedCode::Revived), &none, "revived-booking"),
        (
            listed(UnresolvedCode::HostAbsent),
            &none,
            "unresolved-booking",
        ),
        (listed(UnresolvedCode::Refused), &none, "unresolved-booking"),
        (revoked(1), &with_credits(2), "low-balance"),
        (revoked(1), &with_credits(3), "nothing"),
        (revoked(1), &none, "nothing"),
        (hold.clone(), &with_credits(0), "low-balance"),
        (hold, &with_credits(3), "nothing"),
        (grant, &with_credits(1), "nothing"),
    ];
    for (fact, records, expect) in rows {
        let found = derive(&fact, records);
        assert_eq!(summary(found.as_ref()), expect, "{fact:?} {records:?}");
        if let Some(found) = found {
            let origin = NotificationOrigin::Fact {
                seq: PLACE_SEQ,
                index: 2,
            };
            assert_eq!(found.origin, origin);
            assert_eq!(found.at, now());
            assert!(related_ids(&fact).is_some(), "{fact:?} needs no records");
        }
    }
}

#[test]
fn facts_that_lead_to_nothing_need_no_records() {
    let post = Fact::Charge(ChargeFact::Post {
        booking: booking_ref("b").uid,
    });
    let closed = Fact::Charge(ChargeFact::Closed {
        booking: booking_ref("b").uid,
        reason: EntryCode::BookingOver.into(),
    });
    for fact in [post, closed, decided(noted(Decision::Leave)), revoked(0)] {
        assert_eq!(related_ids(&fact), None, "{fact:?}");
    }
}

/// A member reads what the booker may read, and none of the reasons for operators.
#[test]
fn a_decision_has_the_text_for_the_booker_only() {
    let request = modify(intent("r", &["b"]), |request| {
        request.booker = Some(address("typed-by-a-stranger@example.org"));
        request.booker_text = Some("Please choose another time.".to_owned());
        request.reasons = vec![Reason {
            code: ReasonCode::ShortOfCredit,
            text: "available 1".to_owned(),
        }];
    });
    let records = RelatedRecords {
        request: Some(request),
        account: Some(account("bo@example.com", 1)),
        ..RelatedRecords::default()
    };
    let found = derive(&settled(DecisionOutcome::Declined), &records).expect("a decision");
    let member = found.member().expect("it is for the member");
    assert_eq!(member.address, Some(address("bo@example.com")));
    let NotificationContent::Decision {
        request,
        answer,
        booker_text,
        ..
    } = &found.content
    else {
        panic!("{found:?}");
    };
    assert_eq!(*answer, BookerAnswer::Declined);
    assert_eq!(request.reasons, []);
    assert_eq!(booker_text.as_deref(), Some("Please choose another time."));
}

#[test]
fn mail_goes_to_the_name_of_the_account_or_to_its_first_alias() {
    let with_alias = |id: &str, aliases: &[&str]| {
        modify(account(id, 1), |account: &mut Account| {
            account.aliases = aliases.iter().map(|alias| address(alias)).collect();
        })
    };
    let rows = [
        (with_alias("bo@example.com", &[]), Some("bo@example.com")),
        (
            with_alias("bo@example.com", &["a@example.com"]),
            Some("bo@example.com"),
        ),
        (
            with_alias("member-12", &["b@example.com", "a@example.com"]),
            Some("a@example.com"),
        ),
        (with_alias("member-12", &[]), None),
    ];
    for (account, expect) in rows {
        let records = RelatedRecords {
            account: Some(account),
            ..RelatedRecords::default()
        };
        let found = derive(&revoked(1), &records).expect("a low balance");
        let own = found.member().and_then(|member| member.address.clone());
        assert_eq!(own, expect.map(address));
    }
}

#[test]
fn a_low_balance_is_news_once_until_it_has_recovered() {
    // before, whether the member was told, and whether it is news
    let rows = [
        (4, false, true),
        (3, false, true),
        (2, false, true),
        (2, true, false),
        (3, true, true),
        (9, true, true),
    ];
    for (before, was_told, expect) in rows {
        let found = is_news_of_low_balance(before, LOW_BALANCE, was_told);
        assert_eq!(found, expect, "{before} {was_told}");
    }
}

fn window(after: i64, until: i64) -> DueWindow {
    DueWindow {
        after: at_minute(after),
        until: at_minute(until),
    }
}

#[test]
fn a_request_that_waits_too_long_is_told_of_in_one_window() {
    let waiting = modify(noted(Decision::Review), |request| {
        request.decided_at = at_minute(-240);
    });
    let reviewed = modify(waiting.clone(), |request| {
        request.review = Some(OperatorReview {
            decision: OperatorDecision::Confirm,
            reason: String::new(),
            at: now(),
        });
    });
    let left = modify(waiting.clone(), |request| {
        request.decision = Decision::Leave
    });
    let rows = [
        (&waiting, window(-10, 0), true),
        (&waiting, window(-10, -1), false),
        (&waiting, window(0, 10), false),
        (&reviewed, window(-10, 0), false),
        (&left, window(-10, 0), false),
    ];
    for (request, window, expect) in rows {
        let found = review_waiting(request, &terms(), window);
        assert_eq!(found.is_some(), expect, "{window:?} {request:?}");
        if let Some(found) = found {
            let origin = NotificationOrigin::State {
                subject: "r".to_owned(),
                since: at_minute(-240),
            };
            assert_eq!(found.origin, origin);
        }
    }
}

#[test]
fn credits_that_expire_soon_are_told_of_in_one_window() {
    let week = 7 * 24 * 60;
    let expires = Some(at_minute(week));
    let old = lot("g", 2, expires);
    let late = modify(old.clone(), |lot| lot.granted_at = at_minute(60));
    let rows = [
        (old.clone(), window(-10, 0), true),
        (old.clone(), window(-10, -1), false),
        (old.clone(), window(0, 10), false),
        // The grant was made when its expiry was already near.
        (late.clone(), window(-10, 0), false),
        (late, window(50, 60), true),
        (lot("g", 2, None), window(-10, 0), false),
        (modify(old, |lot| lot.remaining = 0), window(-10, 0), false),
        // It has expired already, for example because the machine was off.
        (lot("g", 2, Some(at_minute(0))), window(-week - 1, 0), false),
    ];
    for (lot, window, expect) in rows {
        let member = account_with_lots("bo@example.com", vec![lot.clone()]);
        let found = credits_expiring(&member, &terms(), window);
        assert_eq!(found.len(), usize::from(expect), "{window:?} {lot:?}");
        for notification in found {
            assert_eq!(notification.kind().as_str(), "credits-expiring");
        }
    }
}

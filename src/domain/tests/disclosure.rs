//! Promise 18: no default text tells a stranger who is a member or what they have. The address of a
//! request is only typed. Therefore two requests that differ only in the account of the address
//! must get the same text.

use std::collections::{BTreeMap, BTreeSet};

use super::evaluation_fixture::*;
use super::fixtures::*;
use crate::domain::allowance::{Allowance, FirstGrant, PeriodAnchor, PeriodUnit};
use crate::domain::criteria::access_list::{AccessEntry, AccessSubject};
use crate::domain::criteria::cap::{Cap, CapPeriod, CapSubject, SharedCap};
use crate::domain::criteria::custom_rule::Rule;
use crate::domain::criteria::gate_criteria::AccountDetails;
use crate::domain::criteria::global_policy::LookupRequirement;
use crate::domain::criteria::on_violation::OnViolation;
use crate::domain::criteria::price::Cost;
use crate::domain::criteria::time_window::TimeWindow;
use crate::domain::decision::{Decision, REASON_CODES, Reason, ReasonCode};
use crate::domain::evaluation::calendar_rules;
use crate::domain::messages;
use crate::domain::request::{OperatorDecision, OperatorReview};
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::rule::template::Template;
use crate::domain::snapshot::{CountedBooking, PinResult};
use crate::domain::time::Span;

type CaseChange = fn(&mut EvaluationCase);

/// Properties of a request that are the same for every address, because none depends on an account.
const PUBLIC: [(&str, CaseChange); 10] = [
    ("nothing else", |_| ()),
    ("hours", |case| {
        case.gate.criteria.hours = vec![TimeWindow {
            weekdays: [false; 7],
            ..TimeWindow::ALWAYS
        }];
    }),
    ("short notice", |case| {
        case.gate.criteria.notice.at_least = Some(Span::hours(48));
    }),
    ("long notice", |case| {
        case.gate.criteria.notice.at_most = Some(Span::hours(2));
    }),
    ("taken", |case| case.is_time_taken = true),
    ("the host is full", |case| {
        case.global.shared_caps = vec![SharedCap {
            name: "calm-days".to_owned(),
            at_most: 0,
            period: CapPeriod::Day,
            gates: Vec::new(),
            each: CapSubject::Host { hosts: Vec::new() },
        }];
    }),
    ("blocked", |case| {
        case.global.block = vec![everybody_entry()]
    }),
    ("not allowed", |case| {
        case.gate.criteria.allow = vec![AccessEntry {
            subject: AccessSubject::Domain("members.example".to_owned()),
            ..everybody_entry()
        }];
    }),
    ("too many", |case| {
        case.gate.criteria.requests_per_day = Some(3);
        case.prior_request_count = 3;
    }),
    ("a series", |case| {
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
    }),
];

/// Properties that differ with the account of the address.
const ACCOUNTS: [(&str, CaseChange); 10] = [
    ("a stranger", |case| case.account = None),
    ("rich", |_| ()),
    ("poor", |case| {
        case.account = Some(account("bo@example.com", 1))
    }),
    ("empty", |case| {
        case.account = Some(account("bo@example.com", 0))
    }),
    ("over a cap", |case| {
        case.gate.criteria.caps = vec![Cap {
            at_most: 1,
            period: CapPeriod::Open,
            tiers: Vec::new(),
        }];
        case.counted_bookings = vec![CountedBooking {
            booking: uid("x"),
            start: at_minute(600),
            end: at_minute(630),
            gate: Some("club".to_owned()),
            is_confirmed: true,
        }];
    }),
    ("a rule", |case| case.global.rules = failing_rule("false")),
    ("a rule that fails", |case| {
        case.global.rules = failing_rule("booking.answers.nothing == 1");
    }),
    ("no answer", |case| {
        case.global.rules = failing_rule("lookup.crm == true");
        case.global.lookups = vec![LookupRequirement {
            name: "crm".to_owned(),
            on_no_answer: OnViolation::Decline,
        }];
    }),
    ("no price", |case| {
        let lookups = BTreeSet::from(["crm".to_owned()]);
        let number = Expression::compile_price("lookup.crm", &lookups);
        case.gate.cost = Cost::Expression(number.expect("it is right"));
        case.global.lookups = vec![LookupRequirement {
            name: "crm".to_owned(),
            on_no_answer: OnViolation::Decline,
        }];
    }),
    ("has waited", |case| {
        case.account = Some(account("bo@example.com", 0));
        case.gate.short_of_credit = OnViolation::wait_for(Span::hours(1));
        case.first_evaluated = at_minute(-120);
    }),
];

/// Whether and how the booker proves to be the member; `true` if nothing is proven.
const PROOFS: [(&str, CaseChange, bool); 8] = [
    ("none", |_| (), true),
    ("unknown", |case| set_address_verification(case, None), true),
    (
        "not verified",
        |case| set_address_verification(case, Some(false)),
        true,
    ),
    (
        "wrong PIN",
        |case| set_pin_result(case, PinResult::Wrong),
        true,
    ),
    (
        "no PIN",
        |case| set_pin_result(case, PinResult::Missing),
        true,
    ),
    (
        "locked PIN",
        |case| set_pin_result(case, PinResult::Locked),
        true,
    ),
    (
        "verified",
        |case| set_address_verification(case, Some(true)),
        false,
    ),
    (
        "right PIN",
        |case| set_pin_result(case, PinResult::Correct),
        false,
    ),
];

fn everybody_entry() -> AccessEntry {
    AccessEntry {
        subject: AccessSubject::Domain("example.com".to_owned()),
        note: None,
        expires: None,
    }
}

fn set_address_verification(case: &mut EvaluationCase, verifies: Option<bool>) {
    let kind = case.event_type.as_mut().and_then(Option::as_mut);
    kind.expect("it is shown").verifies_address = verifies;
}

fn set_pin_result(case: &mut EvaluationCase, pin: PinResult) {
    case.gate.criteria.pin = Some("pin".to_owned());
    // A stranger has no account whose PIN could be compared.
    case.pin_result = case.account.is_some().then_some(pin);
}

fn failing_rule(require: &str) -> Vec<Rule> {
    let lookups = BTreeSet::from(["crm".to_owned()]);
    [Rule {
        name: "gold-members-only".into(),
        require: Expression::compile(require, &lookups).expect(require),
        reason: None,
        on_violation: OnViolation::Decline,
    }]
    .into()
}

fn decline_text(public: CaseChange, account: CaseChange, proof: CaseChange) -> Option<String> {
    let evaluation = evaluate_case(|case| {
        public(case);
        account(case);
        proof(case);
    });
    assert_eq!(
        evaluation.booker_text.is_some(),
        evaluation.decision == DECLINE
    );
    evaluation.booker_text
}

#[test]
fn a_default_text_does_not_depend_on_the_account_of_the_address() {
    for (public_name, public) in PUBLIC {
        // In which way a PIN was wrong must not change the text, but whether the gate asks for one
        // may.
        for pins in [false, true] {
            let mut texts: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
            for (proof_name, proof, _) in PROOFS
                .iter()
                .filter(|(name, _, unproven)| *unproven && name.ends_with("PIN") == pins)
            {
                for (account_name, account) in ACCOUNTS {
                    if let Some(text) = decline_text(public, account, *proof) {
                        let requests = texts.entry(text).or_default();
                        requests.push((account_name, proof_name));
                    }
                }
            }
            assert_eq!(texts.len(), 1, "{public_name}: {texts:#?}");
            let text = texts.keys().next().expect("somebody is declined");
            for secret in ["gold-members-only", "credit", "balance", "bo@example.com"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

/// Every code, as the only reason: either its default text is the same for everybody, or the text
/// is not shown. A new code is put on one of the two sides where the match has no `_`.
#[test]
fn every_code_that_is_about_an_account_is_covered_above() {
    let mut met_codes = BTreeSet::new();
    for (_, public) in PUBLIC {
        for (_, account) in ACCOUNTS {
            for (_, proof, _) in PROOFS {
                let evaluation = evaluate_case(|case| {
                    public(case);
                    account(case);
                    proof(case);
                });
                met_codes.extend(evaluation.reasons.iter().map(|reason| reason.code));
            }
        }
    }
    // Codes that never decline, and those that come with an operator's own words.
    let others = [
        ReasonCode::Ungated,
        ReasonCode::ForeignHost,
        ReasonCode::NoEventType,
        ReasonCode::EventTypeNotShown,
        ReasonCode::Priced,
        ReasonCode::Seated,
        ReasonCode::NotPending,
        ReasonCode::AlreadyOver,
        ReasonCode::SeriesSettling,
        ReasonCode::SeriesUnreadable,
        ReasonCode::PredecessorUnclear,
        ReasonCode::NoBooker,
        ReasonCode::SourceFailed,
        ReasonCode::DecidedBefore,
        ReasonCode::EmptyLedger,
        ReasonCode::RestorePending,
        ReasonCode::ClockSkew,
        ReasonCode::Paused,
        ReasonCode::DeclineLimit,
        ReasonCode::AccountFrozen,
        ReasonCode::Operator,
        ReasonCode::ChargeCarried,
        ReasonCode::Revived,
        ReasonCode::Unmanaged,
        ReasonCode::AcceptedMove,
        ReasonCode::DependsOnUnsettled,
        ReasonCode::AlreadyBegun,
        // Every booker gets the same words.
        ReasonCode::Unanswered,
    ];
    let missing: Vec<ReasonCode> = REASON_CODES
        .into_iter()
        .filter(|code| !met_codes.contains(code) && !others.contains(code))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn who_has_proven_to_be_the_member_is_told_everything() {
    let rows: [(&str, CaseChange); 3] = [
        ("verified", |case| {
            set_address_verification(case, Some(true))
        }),
        ("right PIN", |case| set_pin_result(case, PinResult::Correct)),
        ("the operator says so", |case| {
            case.gate.criteria.account_details = AccountDetails::Always;
        }),
    ];
    for (name, proof) in rows {
        let text = decline_text(|_| (), set_low_balance, proof);
        let expect = "This booking costs 2 credits, and your balance is 1 credit.";
        assert_eq!(text.as_deref(), Some(expect), "{name}");
    }
    // If the gate has a PIN, the PIN is the proof: Cal.com's verification does not make up for a
    // wrong one.
    let evaluation = evaluate_case(|case| {
        set_low_balance(case);
        set_address_verification(case, Some(true));
        set_pin_result(case, PinResult::Wrong);
    });
    assert_eq!(
        evaluation.booker_text,
        Some(messages::not_accepted(false, true))
    );
}

#[test]
fn texts_name_what_the_booker_gave() {
    let decline_text_for = |booker_address: &str| {
        let booker = booker(booker_address);
        evaluate_case(|case| {
            case.account = None;
            case.bookings[0].booker = booker.clone();
        })
        .booker_text
        .expect("it is declined")
    };
    let phone = decline_text_for("4915112345678@sms.cal.com");
    assert!(phone.contains("telephone number you gave"), "{phone}");
    assert!(!phone.contains("e-mail address you gave"), "{phone}");
    for address in [
        "bo@example.com",
        "bo@sms.cal.com",
        "4915112345678@example.com",
    ] {
        let mail = decline_text_for(address);
        assert!(mail.contains("e-mail address you gave"), "{mail}");
    }
}

#[test]
fn an_operator_s_own_words_are_told_and_come_first() {
    let template = |text: &str| LocalizedText {
        by_language: vec![(String::new(), Template::compile(text).expect(text))],
    };
    let evaluation = evaluate_case(|case| {
        set_low_balance(case);
        case.is_time_taken = true;
        case.global.reason_texts = vec![(
            ReasonCode::ShortOfCredit,
            template("You are {{ request.missing }} short."),
        )];
    });
    let expect = format!("You are 1 short. {}", calendar_rules::time_taken_text());
    assert_eq!(evaluation.booker_text, Some(expect));
    let evaluation = super::evaluation_fixture::evaluate_case(|case| {
        set_low_balance(case);
        case.review = Some(OperatorReview {
            decision: OperatorDecision::Decline,
            reason: "Ann says no.".to_owned(),
            at: now(),
        });
    });
    assert_eq!(evaluation.booker_text.as_deref(), Some("Ann says no."));
}

#[test]
fn a_series_says_which_of_its_bookings_stood_in_the_way() {
    let make_series = |case: &mut EvaluationCase| {
        case.account = Some(account("bo@example.com", 9));
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
        // The second occurrence is a day later than the first.
        case.bookings[1].start = at_minute(48 * 60);
        case.bookings[1].end = at_minute(48 * 60 + 30);
    };
    let start = at_minute(48 * 60).format("%Y-%m-%d at %H:%M").to_string();
    let rows: [(ReasonCode, CaseChange); 4] = [
        (ReasonCode::NoticeTooLong, |case| {
            case.bookings[0].created_at = case.bookings[0].start - Span::hours(1);
            case.bookings[2].created_at = case.bookings[2].start - Span::hours(1);
            case.gate.criteria.notice.at_most = Some(Span::hours(2));
        }),
        (ReasonCode::OutsideHours, |case| {
            let mut weekdays = [true; 7];
            use chrono::Datelike as _;
            let day = case.bookings[1].start.weekday().num_days_from_monday();
            weekdays[day as usize] = false;
            case.gate.criteria.hours = vec![TimeWindow {
                weekdays,
                ..TimeWindow::ALWAYS
            }];
        }),
        (ReasonCode::TimeTaken, |case| {
            case.is_time_taken = true;
            case.overlap_index = 1;
        }),
        (ReasonCode::OverCap, |case| {
            case.gate.criteria.account_details = AccountDetails::Always;
            case.global.caps = vec![Cap {
                at_most: 2,
                period: CapPeriod::Day,
                tiers: Vec::new(),
            }];
            case.counted_bookings = ["x", "y"]
                .map(|name| CountedBooking {
                    booking: uid(name),
                    start: case.bookings[1].start,
                    end: case.bookings[1].end,
                    gate: None,
                    is_confirmed: true,
                })
                .into();
        }),
    ];
    for (code, change) in rows {
        let evaluate_series = |own: bool| {
            evaluate_case(|case| {
                make_series(case);
                change(case);
                if own {
                    let words = "The one on {{ request.occurrence }}.";
                    let words = Template::compile(words).expect(words);
                    case.global.reason_texts = vec![(
                        code,
                        LocalizedText {
                            by_language: vec![(String::new(), words)],
                        },
                    )];
                }
            })
        };
        let evaluation = evaluate_series(false);
        let text = evaluation.booker_text.expect("it is declined");
        assert!(text.contains(&start), "{code}: {text}");
        let finding = evaluation.findings.iter().find(|finding| !finding.passed);
        let finding_detail = &finding.expect("something objects").detail;
        assert!(
            finding_detail.contains("(booking o1)"),
            "{code}: {finding_detail}"
        );
        let operator_text = evaluate_series(true).booker_text;
        let expect = format!(
            "The one on {}.",
            at_minute(48 * 60).format("%Y-%m-%d %H:%M")
        );
        assert_eq!(operator_text.as_deref(), Some(expect.as_str()), "{code}");
    }
}

/// The text of a cancellation of a booking that others accepted is the same for everybody, too.
#[test]
fn other_texts_name_no_account() {
    let reason = |text: String| Reason {
        code: ReasonCode::Unmanaged,
        text,
    };
    let text = messages::join_reasons(&[reason(messages::unmanaged_cancelled())]);
    for secret in ["balance", "account", "member"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(evaluate_case(|_| ()).booker_text, None);
    assert_eq!(evaluate_case(|_| ()).decision, Decision::Confirm);
}

/// An operator's text that names the next renewal is used only for those who have proven to be the
/// member, and where the operator allows it to everybody.
#[test]
fn a_text_with_the_next_renewal_is_only_for_proven_members() {
    let text = "The next credits come on {{ member.next_renewal }}.";
    let poor = |case: &mut EvaluationCase| {
        case.account = Some(account("bo@example.com", 0));
        case.global.allowances = vec![Allowance {
            name: "monthly".to_owned(),
            credits: 4,
            rollover: 0,
            unit: PeriodUnit::Month,
            anchor: PeriodAnchor::Opened,
            tiers: BTreeSet::new(),
            accounts: BTreeSet::new(),
            gates: BTreeSet::new(),
            priority: 0,
            starts: None,
            first: FirstGrant::Now,
        }];
        let words = LocalizedText {
            by_language: vec![(String::new(), Template::compile(text).expect(text))],
        };
        case.global.reason_texts = vec![(ReasonCode::ShortOfCredit, words)];
    };
    let names_renewal = |change: &dyn Fn(&mut EvaluationCase)| {
        let evaluation = evaluate_case(|case| {
            poor(case);
            change(case);
        });
        let text = evaluation.booker_text.expect("a decline");
        text.contains("The next credits come on 2")
    };
    for (name, proof, is_unproven) in PROOFS {
        if !name.ends_with("PIN") || !is_unproven {
            assert_eq!(names_renewal(&proof), !is_unproven, "{name}");
        }
    }
    let always = |case: &mut EvaluationCase| {
        case.gate.criteria.account_details = AccountDetails::Always;
    };
    assert!(names_renewal(&always));
    let without_allowance = |case: &mut EvaluationCase| {
        always(case);
        case.global.allowances.clear();
    };
    assert!(!names_renewal(&without_allowance), "there is none");
}

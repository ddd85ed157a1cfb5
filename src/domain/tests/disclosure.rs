//! Promise 18: no default text tells a stranger who is a member or what they have. The address of a
//! request is only typed, so the texts of two requests that differ in nothing but the account of the
//! address must be the same.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::*;
use super::make::*;
use crate::domain::criteria::cap::{Cap, Period};
use crate::domain::criteria::effect::Effect;
use crate::domain::criteria::house::Lookup;
use crate::domain::criteria::lists::{Listed, Who};
use crate::domain::criteria::opening::Opening;
use crate::domain::criteria::rule::Rule;
use crate::domain::criteria::terms::AccountDetails;
use crate::domain::decision::{CODES, Code, Decision, Reason};
use crate::domain::request::{Review, Verdict};
use crate::domain::rule::expression::Expression;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::rule::template::Template;
use crate::domain::snapshot::{Pin, Standing};
use crate::domain::text;
use crate::domain::time::Span;

type Change = fn(&mut Case);

/// What is the same whoever is asked for: nothing in these depends on an account.
const PUBLIC: [(&str, Change); 9] = [
    ("nothing else", |_| ()),
    ("hours", |case| {
        case.gate.criteria.hours = vec![Opening {
            weekdays: [false; 7],
            ..Opening::ALWAYS
        }];
    }),
    ("short notice", |case| {
        case.gate.criteria.notice.at_least = Some(Span::hours(48));
    }),
    ("long notice", |case| {
        case.gate.criteria.notice.at_most = Some(Span::hours(2));
    }),
    ("taken", |case| case.taken = true),
    ("blocked", |case| case.house.block = vec![everybody()]),
    ("not allowed", |case| {
        case.gate.criteria.allow = vec![Listed {
            who: Who::Domain("members.example".to_owned()),
            ..everybody()
        }];
    }),
    ("too many", |case| {
        case.gate.criteria.requests_per_day = Some(3);
        case.asked_before = 3;
    }),
    ("a series", |case| {
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
    }),
];

/// What differs with the account of the address.
const ACCOUNTS: [(&str, Change); 9] = [
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
            per: Period::Open,
            tiers: Vec::new(),
        }];
        case.standing = vec![Standing {
            booking: uid("x"),
            start: at(600),
            end: at(630),
            gate: Some("club".to_owned()),
            settled: true,
        }];
    }),
    ("a rule", |case| case.house.rules = rules("false")),
    ("a rule that fails", |case| {
        case.house.rules = rules("booking.answers.nothing == 1");
    }),
    ("no answer", |case| {
        case.house.rules = rules("lookup.crm == true");
        case.house.lookups = vec![Lookup {
            name: "crm".to_owned(),
            no_answer: Effect::Decline,
        }];
    }),
    ("has waited", |case| {
        case.account = Some(account("bo@example.com", 0));
        case.gate.short_of_credit = Effect::wait(Span::hours(1));
        case.first = at(-120);
    }),
];

/// Whether and how the booker proves anything; `true` where nothing is proven.
const PROOFS: [(&str, Change, bool); 8] = [
    ("none", |_| (), true),
    ("unknown", |case| verifies(case, None), true),
    ("not verified", |case| verifies(case, Some(false)), true),
    ("wrong PIN", |case| pin(case, Pin::Wrong), true),
    ("no PIN", |case| pin(case, Pin::Missing), true),
    ("locked PIN", |case| pin(case, Pin::Locked), true),
    ("verified", |case| verifies(case, Some(true)), false),
    ("right PIN", |case| pin(case, Pin::Right), false),
];

fn everybody() -> Listed {
    Listed {
        who: Who::Domain("example.com".to_owned()),
        note: None,
        expires: None,
    }
}

fn verifies(case: &mut Case, verifies: Option<bool>) {
    let kind = case.event_type.as_mut().and_then(Option::as_mut);
    kind.expect("it is shown").verifies_address = verifies;
}

fn pin(case: &mut Case, pin: Pin) {
    case.gate.criteria.pin = Some("pin".to_owned());
    // A stranger has no account whose PIN could be compared.
    case.pin = case.account.is_some().then_some(pin);
}

fn rules(require: &str) -> Vec<Rule> {
    let lookups = BTreeSet::from(["crm".to_owned()]);
    [Rule {
        name: "gold-members-only".into(),
        require: Expression::compile(require, &lookups).expect(require),
        reason: None,
        effect: Effect::Decline,
    }]
    .into()
}

fn told(public: Change, account: Change, proof: Change) -> Option<String> {
    let judged = judged(|case| {
        public(case);
        account(case);
        proof(case);
    });
    assert_eq!(judged.told.is_some(), judged.decision == DECLINE);
    judged.told
}

#[test]
fn a_default_text_does_not_depend_on_the_account_of_the_address() {
    for (public_name, public) in PUBLIC {
        // Which kind of PIN was wrong is no matter of the account, but whether there is one is.
        for pins in [false, true] {
            let mut texts: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
            for (proof_name, proof, _) in PROOFS
                .iter()
                .filter(|(name, _, unproven)| *unproven && name.ends_with("PIN") == pins)
            {
                for (account_name, account) in ACCOUNTS {
                    if let Some(told) = told(public, account, *proof) {
                        let same = texts.entry(told).or_default();
                        same.push((account_name, proof_name));
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

/// Every code, as the only reason: either its default text is the same for everybody, or it is not
/// told. What comes in with a new code is put on one of the two sides where the match has no `_`.
#[test]
fn every_code_that_is_about_an_account_is_covered_above() {
    let mut met = BTreeSet::new();
    for (_, public) in PUBLIC {
        for (_, account) in ACCOUNTS {
            for (_, proof, _) in PROOFS {
                let judged = judged(|case| {
                    public(case);
                    account(case);
                    proof(case);
                });
                met.extend(judged.reasons.iter().map(|reason| reason.code));
            }
        }
    }
    // Those that never decline, and what stands with an operator's own words.
    let others = [
        Code::Ungated,
        Code::ForeignHost,
        Code::NoEventType,
        Code::EventTypeNotShown,
        Code::Priced,
        Code::Seated,
        Code::NotPending,
        Code::Over,
        Code::SeriesSettling,
        Code::SeriesUnreadable,
        Code::PredecessorUnclear,
        Code::NoBooker,
        Code::DecidedBefore,
        Code::EmptyLedger,
        Code::RestoreOpen,
        Code::ClockOff,
        Code::DeclineLimit,
        Code::Frozen,
        Code::Operator,
        Code::Carried,
        Code::Revived,
        Code::Unmanaged,
        Code::AcceptedMove,
        Code::Unsettled,
        Code::Begun,
        // Told in the same words to everybody.
        Code::Unanswered,
    ];
    let missing: Vec<Code> = CODES
        .into_iter()
        .filter(|code| !met.contains(code) && !others.contains(code))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn who_has_proven_to_be_the_member_is_told_everything() {
    let rows: [(&str, Change); 3] = [
        ("verified", |case| verifies(case, Some(true))),
        ("right PIN", |case| pin(case, Pin::Right)),
        ("the operator says so", |case| {
            case.gate.criteria.account_details = AccountDetails::Always;
        }),
    ];
    for (name, proof) in rows {
        let told = told(|_| (), poor, proof);
        let expect = "This booking costs 2 credits, and your balance is 1 credit.";
        assert_eq!(told.as_deref(), Some(expect), "{name}");
    }
    // A PIN of the gate is what proves; Cal.com's check beside it does not make up for a wrong one.
    let judged = judged(|case| {
        poor(case);
        verifies(case, Some(true));
        pin(case, Pin::Wrong);
    });
    assert_eq!(judged.told, Some(text::not_accepted(false, true)));
}

#[test]
fn texts_name_what_the_booker_gave() {
    let by = |who: &str| {
        let booker = booker(who);
        judged(|case| {
            case.account = None;
            case.bookings[0].booker = booker.clone();
        })
        .told
        .expect("it is declined")
    };
    let phone = by("4915112345678@sms.cal.com");
    assert!(phone.contains("telephone number you gave"), "{phone}");
    assert!(!phone.contains("e-mail address you gave"), "{phone}");
    for address in [
        "bo@example.com",
        "bo@sms.cal.com",
        "4915112345678@example.com",
    ] {
        let mail = by(address);
        assert!(mail.contains("e-mail address you gave"), "{mail}");
    }
}

#[test]
fn an_operator_s_own_words_are_told_and_come_first() {
    let template = |text: &str| LocalizedText {
        by_language: vec![(String::new(), Template::compile(text).expect(text))],
    };
    let judged = judged(|case| {
        poor(case);
        case.taken = true;
        case.house.reasons = vec![(
            Code::ShortOfCredit,
            template("You are {{ request.missing }} short."),
        )];
    });
    let expect = format!("You are 1 short. {}", text::taken());
    assert_eq!(judged.told, Some(expect));
    let judged = super::asked::judged(|case| {
        poor(case);
        case.review = Some(Review {
            verdict: Verdict::Decline,
            reason: "Ann says no.".to_owned(),
            at: now(),
        });
    });
    assert_eq!(judged.told.as_deref(), Some("Ann says no."));
}

#[test]
fn a_series_says_which_of_its_bookings_stood_in_the_way() {
    let series = |case: &mut Case| {
        case.account = Some(account("bo@example.com", 9));
        case.bookings = (0..3)
            .map(|n| occurrence("s", &format!("o{n}"), n))
            .collect();
        // The second is a day later than the first.
        case.bookings[1].start = at(48 * 60);
        case.bookings[1].end = at(48 * 60 + 30);
    };
    let start = at(48 * 60).format("%Y-%m-%d at %H:%M").to_string();
    let rows: [(Code, Change); 4] = [
        (Code::NoticeTooLong, |case| {
            case.bookings[0].created = case.bookings[0].start - Span::hours(1);
            case.bookings[2].created = case.bookings[2].start - Span::hours(1);
            case.gate.criteria.notice.at_most = Some(Span::hours(2));
        }),
        (Code::OutsideHours, |case| {
            let mut weekdays = [true; 7];
            use chrono::Datelike as _;
            let day = case.bookings[1].start.weekday().num_days_from_monday();
            weekdays[day as usize] = false;
            case.gate.criteria.hours = vec![Opening {
                weekdays,
                ..Opening::ALWAYS
            }];
        }),
        (Code::Taken, |case| {
            case.taken = true;
            case.taken_at = 1;
        }),
        (Code::OverCap, |case| {
            case.gate.criteria.account_details = AccountDetails::Always;
            case.house.caps = vec![Cap {
                at_most: 2,
                per: Period::Day,
                tiers: Vec::new(),
            }];
            case.standing = ["x", "y"]
                .map(|name| Standing {
                    booking: uid(name),
                    start: case.bookings[1].start,
                    end: case.bookings[1].end,
                    gate: None,
                    settled: true,
                })
                .into();
        }),
    ];
    for (code, change) in rows {
        let judge = |own: bool| {
            judged(|case| {
                series(case);
                change(case);
                if own {
                    let words = "The one on {{ request.occurrence }}.";
                    let words = Template::compile(words).expect(words);
                    case.house.reasons = vec![(
                        code,
                        LocalizedText {
                            by_language: vec![(String::new(), words)],
                        },
                    )];
                }
            })
        };
        let judged = judge(false);
        let told = judged.told.expect("it is declined");
        assert!(told.contains(&start), "{code}: {told}");
        let operator = judged.findings.iter().find(|finding| !finding.passed);
        let operator = &operator.expect("something objects").detail;
        assert!(operator.contains("(booking o1)"), "{code}: {operator}");
        let own = judge(true).told;
        let expect = format!("The one on {}.", at(48 * 60).format("%Y-%m-%d %H:%M"));
        assert_eq!(own.as_deref(), Some(expect.as_str()), "{code}");
    }
}

/// A cancellation of what others accepted is the same for everybody, too.
#[test]
fn other_texts_name_no_account() {
    let reason = |text: String| Reason {
        code: Code::Unmanaged,
        text,
    };
    let told = text::joined(&[reason(text::unmanaged())]);
    for secret in ["balance", "account", "member"] {
        assert!(!told.contains(secret), "{told}");
    }
    assert_eq!(judged(|_| ()).told, None);
    assert_eq!(judged(|_| ()).decision, Decision::Confirm);
}

//! The written form of facts: it is read back unchanged, and never changes by accident.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::Arc;

use crate::fixture::store_support::sample_facts;
use maitred::domain::decision::{Finding, ReasonCode};
use maitred::domain::fact::{Fact, RequestFact};
use maitred::store::codec::fact;

#[test]
fn written_facts_are_read_back_unchanged() {
    let facts = sample_facts();
    let text = fact::write(&facts).expect("they can be written");
    assert_eq!(fact::read(&text).expect("they can be read"), facts);
}

/// Returns a name for the kind of a fact: its group, and its kind in the group.
fn kind_of(fact: &Fact) -> String {
    let (group, kind) = match fact {
        Fact::Account(fact) => ("account", format!("{:?}", discriminant(fact))),
        Fact::Credit(fact) => ("credit", format!("{:?}", discriminant(fact))),
        Fact::Charge(fact) => ("charge", format!("{:?}", discriminant(fact))),
        Fact::Request(fact) => ("request", format!("{:?}", discriminant(fact))),
        Fact::Unresolved(fact) => ("unresolved", format!("{:?}", discriminant(fact))),
        Fact::Ledger(fact) => ("ledger", format!("{:?}", discriminant(fact))),
        Fact::By(_) => ("by", String::new()),
    };
    format!("{group} {kind}")
}

#[test]
fn every_kind_of_fact_is_among_the_samples() {
    let kinds: BTreeSet<String> = sample_facts().iter().map(kind_of).collect();
    assert_eq!(
        kinds.len(),
        32,
        "a new kind of fact needs a sample, and a line below"
    );
}

#[test]
fn each_kind_of_fact_has_a_fixed_written_form() {
    let lines = sample_facts().into_iter().map(|fact| {
        let text = fact::write(std::slice::from_ref(&fact)).expect("it can be written");
        let text = String::from_utf8(text).expect("UTF-8");
        text.replace('\u{2028}', "<2028>")
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("kinds", lines);
}

#[test]
fn unknown_kinds_fields_and_values_of_facts_are_refused() {
    let rows = [
        r#"[{"given":{"account":"bo@example.com"}}]"#,
        r#"[{"opened":{"account":"bo@example.com","color":"red"}}]"#,
        r#"[{"opened":{}}]"#,
        r#"[{"opened":{"account":"b o"}}]"#,
        r#"[{"post":{"booking":"a/b"}}]"#,
        r#"[{"settled":{"request":"a","outcome":"lost"}}]"#,
        r#"[{"reviewed":{"request":"a","verdict":"maybe"}}]"#,
        r#"[{"reviewed":{"request":"a","verdict":"confirm","by":"ann"}}]"#,
        r#"[{"frozen":{"account":"bo","frozen":false,"personal":{"text":"unpaid"}}}]"#,
        r#"[{"closed":{"booking":"a","reason":{"code":"shrugged"}}}]"#,
        r#"[{"closed":{"booking":"a","reason":{"code":"cancelled","by":"booker"}}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1,"of":2}}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1000000001}}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":-1}}}]"#,
        r#"[{"unresolved":{"booking":{"uid":"a"},"code":"odd"}}]"#,
        r#"[{"resolved":{"booking":"a","code":"revived","by":"nobody"}}]"#,
        r#"[{"opened":{"account":"bo"},"post":{"booking":"a"}}]"#,
        r#"[{"opened":{"account":"bo"}}] "x""#,
        r#"{"opened":{"account":"bo"}}"#,
    ];
    for row in rows {
        assert!(fact::read(row.as_bytes()).is_err(), "{row}");
    }
    // The same fact without the odd part is read, so the rows fail because of their odd part.
    fact::read(br#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1}}}]"#)
        .expect("it is a fact");
}

#[test]
fn unknown_words_inside_a_decision_are_refused() {
    let whole = fact::write(&sample_facts()).expect("they can be written");
    let whole = String::from_utf8(whole).expect("UTF-8");
    for (known, unknown) in [
        (r#"["enough"]"#, r#"["plenty"]"#),
        (r#""decision":"confirm""#, r#""decision":"shrug""#),
        (r#""state":"noted""#, r#""state":"lost""#),
        (r#""policy":"#, r#""politics":1,"policy":"#),
        (r#""kind":"confirm""#, r#""kind":"call""#),
        (r#""verdict":"decline""#, r#""verdict":"maybe""#),
        (r#""text":"came "#, r#""by":"ann","text":"came "#),
    ] {
        assert!(whole.contains(known), "{known}");
        let other = whole.replace(known, unknown);
        assert!(fact::read(other.as_bytes()).is_err(), "{unknown}");
    }
}

#[test]
fn the_code_of_a_finding_is_written_and_older_logs_do_without() {
    let found = |code| {
        let facts = sample_facts().into_iter().map(|mut fact| {
            if let Fact::Request(RequestFact::Decided { request }) = &mut fact {
                Arc::make_mut(request).findings = vec![Finding {
                    rule: "credit".into(),
                    code,
                    passed: false,
                    detail: "cost 2, available 1".to_owned(),
                }];
            }
            fact
        });
        facts.collect::<Vec<Fact>>()
    };
    let with_codes = found(Some(ReasonCode::ShortOfCredit));
    let text = fact::write(&with_codes).expect("they can be written");
    assert_eq!(fact::read(&text).expect("they can be read"), with_codes);
    let text = String::from_utf8(text).expect("UTF-8");
    let code = r#""code":"short-of-credit","passed""#;
    assert!(text.contains(code), "{text}");
    let older = text.replace(code, r#""passed""#);
    let read = fact::read(older.as_bytes()).expect("an older log can be read");
    assert_eq!(read, found(None));
    let unknown = text.replace(code, r#""code":"plenty","passed""#);
    assert!(fact::read(unknown.as_bytes()).is_err());
}

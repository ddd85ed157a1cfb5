//! The written form of facts: read again as it was, and never changed by accident.

mod store_support;

use maitred::domain::fact::Fact;
use maitred::store::record::fact;
use store_support::samples;

#[test]
fn what_is_written_is_read_again() {
    let facts = samples();
    let text = fact::write(&facts).expect("they can be written");
    assert_eq!(fact::read(&text).expect("they can be read"), facts);
}

#[test]
fn every_kind_is_among_the_samples() {
    let mut kinds: Vec<_> = samples().iter().map(std::mem::discriminant).collect();
    let mut different: Vec<std::mem::Discriminant<Fact>> = Vec::new();
    kinds.retain(|kind| {
        !different.contains(kind) && {
            different.push(*kind);
            true
        }
    });
    assert_eq!(
        kinds.len(),
        22,
        "a new kind of fact needs a sample, and a line below"
    );
}

#[test]
fn the_form_of_each_kind() {
    let lines = samples().into_iter().map(|fact| {
        let text = fact::write(std::slice::from_ref(&fact)).expect("it can be written");
        let text = String::from_utf8(text).expect("UTF-8");
        text.replace('\u{2028}', "<2028>")
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(lines, @r##"
[{"opened":{"account":"bo@example.com"}}]
[{"aliased":{"account":"bo@example.com","alias":"änne@example.com"}}]
[{"unaliased":{"account":"bo@example.com","alias":"änne@example.com"}}]
[{"described":{"account":"bo@example.com","tier":"gold","tags":["board","früh"],"attributes":{"since":"2019"}}}]
[{"frozen":{"account":"bo@example.com","why":"unpaid"}}]
[{"pinned":{"account":"bo@example.com","hash":"argon"}}]
[{"grant":{"reference":"2026 spring","account":"bo@example.com","credits":10,"expires":"2026-09-21T14:13:20Z","reason":"spring"}}]
[{"revoke":{"reference":"back","account":"bo@example.com","parts":[{"grant":"2026 spring","credits":2}],"reason":"too many"}}]
[{"expire":{"account":"bo@example.com","part":{"grant":"2026 spring","credits":1}}}]
[{"hold":{"booking":{"uid":"uid1","id":77},"request":"uid1","account":"bo@example.com","parts":[{"grant":"2026 spring","credits":1}],"event_type":77,"host":5,"start":"2026-09-22T14:13:20Z","end":"2026-09-22T15:13:20Z","terms":{"windows":[[86400000,100]],"host_cancels":"host","unknown_cancels":"booker","trust_named_cancels":false,"host_absent":"review","no_show":"keep","grace":86400000,"restore_for":1209600000,"late_move":"carry"}}}]
[{"post":{"booking":"uid1"}}]
[{"void":{"booking":"uid1","reason":"superseded"}}]
[{"refund":{"booking":"uid1","parts":[{"grant":"2026 spring","credits":1,"restored":{"reference":"restored","expires":"2026-09-21T14:13:21Z"}},{"grant":"summer","credits":1}],"close":true,"reason":"cancelled in time"}}]
[{"move":{"from":"uid1","to":{"uid":"uid3","id":77},"start":"2026-09-21T14:13:20Z","end":"2026-09-21T14:13:20.001Z","reason":"rescheduled"}}]
[{"closed":{"booking":"uid3","reason":"over"}}]
[{"decided":{"id":"series","bookings":[{"uid":"a","id":77},{"uid":"b","id":77}],"series":"series","title":"Book club between Bo and Ann","event_type":77,"slug":"book-club","gate":"book-club","host":5,"booker":"bo@example.com","account":"bo@example.com","start":"2026-09-22T14:13:20Z","end":"2026-09-22T15:13:20Z","created":"2026-09-21T14:13:15Z","decision":"confirm","cost":1,"credits":2,"call":"confirm","reasons":[{"code":"enough","text":"cost 1, available 3"}],"findings":[{"rule":"short-of-credit","passed":true,"detail":"cost 1, available 3"}],"text":"Sorry, \"no\" credit\n left \u0000 <2028> ü 🎲","carries":"older","policy":"f00d","decided":"2026-09-21T14:13:20.001Z","first":"2026-09-21T14:13:20.001Z","state":{"settled":{"outcome":"superseded","at":"2026-09-21T14:13:20.009Z"}},"failures":2,"last_failure":"2026-09-21T14:13:20.008Z","calls":[{"at":"2026-09-21T14:13:20.008Z","booking":"a","kind":"cancel","answered":false,"end":"unanswered","sent":"2026-09-21T14:13:20.007Z","text":"timed out"}],"review":{"verdict":"decline","reason":"came \"late\"","at":"2026-09-21T14:13:20.003Z"}}}]
[{"reviewed":{"request":"uid2","verdict":"confirm","reason":"an old friend"}}]
[{"called":{"request":"uid1","call":{"at":"2026-09-21T14:13:20.005Z","booking":"uid1","kind":"confirm","answered":true,"text":"accepted"}}}]
[{"settled":{"request":"uid1","outcome":"confirmed"}}]
[{"unresolved":{"booking":{"uid":"uid1","id":77},"code":"revived","account":"bo@example.com","until":"2026-09-22T15:13:20Z","detail":"accepted, although it was cancelled"}}]
[{"resolved":{"booking":"uid1","code":"revived","reason":"it takes place","by":"operator"}}]
[{"ledger":{"identified":{"identity":{"server":"cal.example.com:5555/api","user":5,"dialect":"v2"},"reason":"recorded by the first pass"}}}]
[{"ledger":{"restored":{"commit":7}}}]
[{"ledger":{"restore-accepted":{"reason":"all looked at"}}}]
[{"decided":{"id":"uid2","bookings":[{"uid":"uid2","id":77}],"title":"Book club between Bo and Ann","event_type":77,"slug":"book-club","gate":"book-club","host":5,"booker":"bo@example.com","account":"bo@example.com","start":"2026-09-22T14:13:20Z","end":"2026-09-22T15:13:20Z","created":"2026-09-21T14:13:15Z","decision":{"wait":{"until":"2026-09-21T14:14:20Z"}},"cost":1,"credits":1,"reasons":[{"code":"enough","text":"cost 1, available 3"}],"findings":[{"rule":"short-of-credit","passed":true,"detail":"cost 1, available 3"}],"policy":"f00d","decided":"2026-09-21T14:13:20.123Z","first":"2026-09-21T14:13:20.123Z","state":"noted"}}]
[{"described":{"account":"bo@example.com"}}]
[{"frozen":{"account":"bo@example.com"}}]
[{"pinned":{"account":"bo@example.com"}}]
[{"decided":{"id":"uid4","bookings":[{"uid":"uid4"}],"title":"Book club between Bo and Ann","start":"2026-09-22T14:13:20Z","end":"2026-09-22T15:13:20Z","created":"2026-09-21T14:13:15Z","decision":"leave","cost":1,"credits":1,"policy":"f00d","decided":"2026-09-21T14:13:20Z","first":"2026-09-21T14:13:20Z","state":"noted"}}]
[{"unresolved":{"booking":{"uid":"uid4"},"code":"unmanaged","detail":""}}]
"##);
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let rows = [
        r#"[{"given":{"account":"bo@example.com"}}]"#,
        r#"[{"opened":{"account":"bo@example.com","color":"red"}}]"#,
        r#"[{"opened":{}}]"#,
        r#"[{"opened":{"account":"b o"}}]"#,
        r#"[{"post":{"booking":"a/b"}}]"#,
        r#"[{"settled":{"request":"a","outcome":"lost"}}]"#,
        r#"[{"reviewed":{"request":"a","verdict":"maybe","reason":""}}]"#,
        r#"[{"reviewed":{"request":"a","verdict":"confirm","reason":"","by":"ann"}}]"#,
        r#"[{"reviewed":{"request":"a","verdict":"confirm"}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1,"of":2}}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1000000001}}}]"#,
        r#"[{"expire":{"account":"bo","part":{"grant":"g","credits":-1}}}]"#,
        r#"[{"unresolved":{"booking":{"uid":"a"},"code":"odd","detail":""}}]"#,
        r#"[{"resolved":{"booking":"a","code":"revived","reason":"","by":"nobody"}}]"#,
        r#"[{"opened":{"account":"bo"},"post":{"booking":"a"}}]"#,
        r#"[{"opened":{"account":"bo"}}] "x""#,
        r#"{"opened":{"account":"bo"}}"#,
    ];
    for row in rows {
        assert!(fact::read(row.as_bytes()).is_err(), "{row}");
    }
    // The same with nothing strange in it is read, so the rows fail for what is strange in them.
    fact::read(br#"[{"expire":{"account":"bo","part":{"grant":"g","credits":1}}}]"#)
        .expect("it is a fact");
}

#[test]
fn unknown_words_inside_a_decision_are_refused() {
    let whole = fact::write(&samples()).expect("they can be written");
    let whole = String::from_utf8(whole).expect("UTF-8");
    for (known, unknown) in [
        (r#""code":"enough""#, r#""code":"plenty""#),
        (r#""decision":"confirm""#, r#""decision":"shrug""#),
        (r#""state":"noted""#, r#""state":"lost""#),
        (r#""policy":"#, r#""politics":1,"policy":"#),
        (r#""kind":"confirm""#, r#""kind":"call""#),
        (r#""verdict":"decline""#, r#""verdict":"maybe""#),
        (r#""reason":"came "#, r#""by":"ann","reason":"came "#),
    ] {
        assert!(whole.contains(known), "{known}");
        let other = whole.replace(known, unknown);
        assert!(fact::read(other.as_bytes()).is_err(), "{unknown}");
    }
}

//! Files of rows, good and bad.

use super::*;

/// Returns the line of each row, with its account, credits, expiry, reason and given reference.
fn parse_rows(text: &str) -> Vec<(u64, String)> {
    let rows = parse(text.as_bytes(), Tz::UTC).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
    rows.into_iter()
        .map(|row| {
            let expires = row.expires.unwrap_or_else(|| "-".to_owned());
            let reason = row.reason.unwrap_or_else(|| "-".to_owned());
            let reference = if row.reference.starts_with(PREFIX) {
                "-".to_owned()
            } else {
                row.reference
            };
            let row_text = format!(
                "{} {} {expires} {reason} {reference}",
                row.account, row.credits
            );
            (row.line, row_text)
        })
        .collect()
}

fn parse_references(text: &str) -> Vec<String> {
    let rows = parse(text.as_bytes(), Tz::UTC).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
    rows.into_iter().map(|row| row.reference).collect()
}

/// Returns each problem as the operator reads it, in order.
fn problems(bytes: &[u8]) -> Vec<String> {
    match parse(bytes, Tz::UTC) {
        Ok(rows) => panic!("{rows:?}"),
        Err(CsvProblems { problems, .. }) => problems
            .into_iter()
            .map(|CsvProblem { line, text }| match line {
                Some(line) => format!("{line}: {text}"),
                None => text,
            })
            .collect(),
    }
}

#[test]
fn good_files_give_their_rows_with_their_lines() {
    let single_row = vec![(2, "bo@x.org 4 - - -".to_owned())];
    let rows_apart = vec![
        (5, "bo@x.org 4 - - -".to_owned()),
        (7, "acme-ltd 10 - - -".to_owned()),
    ];
    let table = [
        ("account,credits\nbo@x.org,4\n", single_row.clone()),
        ("account,credits\nbo@x.org,4", single_row.clone()),
        ("account,credits\r\nbo@x.org,4\r\n", single_row.clone()),
        ("account,credits\rbo@x.org,4\r", single_row.clone()),
        ("\u{feff}account,credits\nbo@x.org,4\n", single_row.clone()),
        ("Account , CREDITS\n Bo@X.org , 4 \n", single_row.clone()),
        (
            "\"account\",\"credits\"\n\"bo@x.org\",\"4\"\n",
            single_row.clone(),
        ),
        ("credits,account\n4,bo@x.org\n", single_row.clone()),
        ("account,credits,expires\nbo@x.org,4,\n", single_row.clone()),
        ("account,credits\nbo@x.org,4\n,\n\n  \n", single_row),
        (
            "\n\naccount,credits\n\nbo@x.org,4\n,\nacme-ltd,10\n",
            rows_apart.clone(),
        ),
        (
            "\r\n\r\naccount,credits\r\n\r\nbo@x.org,4\r\n  \r\nacme-ltd,10",
            rows_apart,
        ),
        (
            "reference,reason,expires,credits,account\n\
             dues-1,\"autumn, \"\"first\"\"\",2026-12-31,4,bo@x.org\n",
            vec![(
                2,
                "bo@x.org 4 2027-01-01T00:00:00Z autumn, \"first\" dues-1".to_owned(),
            )],
        ),
        (
            "account,credits,expires\nbo@x.org,4,2026-12-31T18:00:00+01:00\n",
            vec![(2, "bo@x.org 4 2026-12-31T17:00:00Z - -".to_owned())],
        ),
    ];
    for (text, expect) in table {
        assert_eq!(parse_rows(text), expect, "{text:?}");
    }
}

#[test]
fn a_bad_file_is_refused_with_what_to_do() {
    let header = "the first line has to name the columns: account,credits and, if wanted, \
                  expires,reason,reference,tier,tags";
    let header_problem = |problem: &str| format!("1: {problem}; {header}");
    let long = format!("account,credits\n{},4\n", "x".repeat(321));
    let long_reason = format!("account,credits,reason\nbo,4,{}\n", "x".repeat(501));
    let long_reference = format!("account,credits,reference\nbo,4,{}\n", "x".repeat(321));
    let table: Vec<(&[u8], String)> =
        vec![
        (
            b"",
            "it is empty; its first line has to name the columns, as in account,credits".into(),
        ),
        (
            b"\n\r\n  \n",
            "it is empty; its first line has to name the columns, as in account,credits".into(),
        ),
        (
            b"account,credits\n\n",
            "there are no rows under the header".into(),
        ),
        (
            b"\xff\xfea\0c\0",
            "it is UTF-16 text; save it as CSV in UTF-8".into(),
        ),
        (
            b"account;credits\nbo;4\n",
            "1: the columns are separated by semicolons; save the file with commas, as in \
             account,credits"
                .into(),
        ),
        (
            b"account\tcredits\nbo\t4\n",
            "1: it contains a tab; separate the columns by commas".into(),
        ),
        (
            b"bo@x.org,4\n",
            header_problem(
                "column 1 is called \"bo@x.org\"; column 2 is called \"4\"; there is no column \
               \"account\"; there is no column \"credits\"",
            ),
        ),
        (
            b"account,credits,email\nbo,4,x\n",
            header_problem("column 3 is called \"email\""),
        ),
        (
            b"account,credits,Account\nbo,4,bo\n",
            header_problem("there are two columns \"Account\""),
        ),
        (b"account\nbo\n", header_problem("there is no column \"credits\"")),
        (b"account,credits,\nbo,4,\n", header_problem("column 3 is called \"\"")),
        (
            b"acc\xfcunt,credits\n",
            "1: it is not UTF-8 (byte 0xfc); save the file as CSV in UTF-8".into(),
        ),
        (
            b"account,credits\n\xe9va@x.org,4\n",
            "2: it is not UTF-8 (byte 0xe9); save the file as CSV in UTF-8".into(),
        ),
        (
            b"account,credits\nb\x00,4\n",
            "2: it contains a control character ('\\0')".into(),
        ),
        (
            b"account,credits\n\"bo,4\nal,5\n",
            "2: the file ends within quotes: close the quote, or copy the whole file again if \
             its end is cut off"
                .into(),
        ),
        (
            b"account,credits\nbo\n",
            "2: it has 1 field, and the header has 2 columns; put quotes around a field that has \
             a comma in it"
                .into(),
        ),
        (
            b"account,credits\nbo;4\n",
            "2: it has 1 field, and the header has 2 columns; separate them by commas".into(),
        ),
        (
            b"account,credits\nbo,1,000\n",
            "2: it has 3 fields, and the header has 2 columns; put quotes around a field that has \
             a comma in it"
                .into(),
        ),
        (b"account,credits\n,4\n", "2: the account is missing".into()),
        (
            b"account,credits\nbo example,4\n",
            "2: the account \"bo example\" contains a space".into(),
        ),
        (
            long.as_bytes(),
            "2: the account is longer than 320 bytes".into(),
        ),
        (
            b"account,credits\nbo,\n",
            "2: the number of credits is missing".into(),
        ),
        (
            b"account,credits\nbo,3.5\n",
            "2: credits are whole numbers; \"3.5\" is not".into(),
        ),
        (
            b"account,credits\nbo,-1\n",
            "2: credits cannot be negative; `maitred credits revoke` takes some back".into(),
        ),
        (
            b"account,credits\nbo,\"1,000\"\n",
            "2: write \"1,000\" without separators, as in 1000".into(),
        ),
        (
            b"account,credits\nbo,1000000001\n",
            "2: one command grants 1 to 1000000000 credits, and not 1000000001".into(),
        ),
        (
            b"account,credits,reason\nal,2,\"autumn term\"\ncy,2,\"autumn te",
            "3: the file ends within quotes: close the quote, or copy the whole file again if \
             its end is cut off"
                .into(),
        ),
        (
            b"account,credits,reason\nal,2,\"autumn \"\"term\"\"\"\ncy,2,\"\"\"",
            "3: the file ends within quotes: close the quote, or copy the whole file again if \
             its end is cut off"
                .into(),
        ),
        (
            b"account,credits,\"reas",
            "1: the file ends within quotes: close the quote, or copy the whole file again if \
             its end is cut off"
                .into(),
        ),
        (
            b"account,credits,expires\nbo,4,30d\n",
            "2: expires: \"30d\" is not a time; write 2026-12-31 or 2026-12-31T18:00:00Z".into(),
        ),
        (
            b"account,credits,expires\nbo,4,31.12.2026\n",
            "2: expires: \"31.12.2026\" is not a time; write 2026-12-31 or 2026-12-31T18:00:00Z"
                .into(),
        ),
        (
            long_reason.as_bytes(),
            "2: the reason is longer than 500 characters".into(),
        ),
        (
            long_reference.as_bytes(),
            "2: the reference is longer than 320 bytes".into(),
        ),
        (
            b"account,credits,reference\nbo,4,a\tb\n",
            "2: it contains a tab; separate the columns by commas".into(),
        ),
        (
            b"account,credits,reference\nbo,4,dues\nal,4,dues\n",
            "3: line 2 has the reference \"dues\" already; each row needs its own".into(),
        ),
    ];
    for (bytes, expect) in table {
        let found = problems(bytes);
        assert_eq!(found, [expect], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn every_bad_row_is_named_and_every_mistake_in_it() {
    let text = "account,credits,expires\n\
                bo,4,\n\
                ,x,soon\n\
                \n\
                al,1000000001,\n\
                cy,5,\n";
    let bad = parse(text.as_bytes(), Tz::UTC).unwrap_err();
    insta::assert_snapshot!(bad.describe(Path::new("members.csv")), @r#"
    nothing of members.csv was imported:
      line 3: the account is missing
      line 3: "x" is not a number; write digits only, as in 4
      line 3: expires: "soon" is not a time; write 2026-12-31 or 2026-12-31T18:00:00Z
      line 5: one command grants 1 to 1000000000 credits, and not 1000000001
    "#);
}

#[test]
fn there_is_a_limit_to_rows_and_to_bytes() {
    let row = "bo,4\n";
    let most = format!("account,credits\n{}", row.repeat(MAX_ROWS));
    assert_eq!(parse_references(&most).len(), MAX_ROWS);
    assert_eq!(
        problems((most + row).as_bytes()),
        ["50002: there are more than 50000 rows; split the file"]
    );
    let long = vec![b' '; MAX_FILE + 1];
    assert_eq!(problems(&long), ["it is longer than 8 MiB; split it"]);
}

#[test]
fn a_reference_follows_from_what_a_row_says_however_it_is_written() {
    let plain = parse_references("account,credits,expires,reason\nbo,4,2026-12-31,autumn\n");
    assert_eq!(plain.len(), 1);
    assert_eq!(plain[0].len(), PREFIX.len() + 32);
    let same = [
        "account,credits,expires,reason\r\n BO ,04,2026-12-31,\"autumn\"\r\n",
        "reason,expires,credits,account\nautumn,2027-01-01T00:00:00Z,4,bo\n",
        "account,credits,expires,reason,reference\nbo,4,2026-12-31,autumn,\n",
    ];
    for text in same {
        assert_eq!(parse_references(text), plain, "{text:?}");
    }
    let other = [
        "account,credits,expires,reason\nbob,4,2026-12-31,autumn\n",
        "account,credits,expires,reason\nbo,5,2026-12-31,autumn\n",
        "account,credits,expires,reason\nbo,4,2026-12-30,autumn\n",
        "account,credits,expires,reason\nbo,4,,autumn\n",
        "account,credits,expires,reason\nbo,4,2026-12-31,winter\n",
        "account,credits,expires,reason\nbo,4,2026-12-31,\n",
    ];
    for text in other {
        assert_ne!(parse_references(text), plain, "{text:?}");
    }
}

#[test]
fn a_row_may_say_tier_and_tags_which_are_no_part_of_its_reference() {
    let text = "account,credits,tags,tier\nbo,4, chess  founder ,gold\nal,4,,\n";
    let rows = parse(text.as_bytes(), Tz::UTC).unwrap();
    assert_eq!(rows[0].tier.as_deref(), Some("gold"));
    assert_eq!(rows[0].tags, ["chess", "founder"]);
    assert_eq!((&rows[1].tier, rows[1].tags.len()), (&None, 0));
    let plain = parse_references("account,credits\nbo,4\nal,4\n");
    assert_eq!(parse_references(text), plain);
}

/// Stored ledgers hold these references, so a change here would grant old files again.
#[test]
fn derived_references_never_change() {
    let text = "account,credits,expires,reason\nbo,4,,\nbo,4,,\nbo,4,2026-12-31,autumn\n";
    assert_eq!(
        parse_references(text),
        [
            "import:9ef92ec4fcbb6220b592061fc6d0cb87",
            "import:cb17b32d4fe4c892620a69d350bb6c20",
            "import:28b0d570b0cd2054c1f0058d5f1314bc",
        ]
    );
}

#[test]
fn rows_that_are_alike_each_count_and_in_a_file_that_has_grown_only_the_new_ones_do() {
    let before = parse_references("account,credits\nbo,4\nbo,4\nal,2\n");
    assert_ne!(before[0], before[1]);
    // The same rows in another order, with one more of each kind.
    let after = parse_references("account,credits\nal,2\nbo,4\nbo,4\nbo,4\ncy,1\n");
    let new: Vec<&String> = after
        .iter()
        .filter(|reference| !before.contains(reference))
        .collect();
    assert_eq!(new, [&after[3], &after[4]]);
    assert!(before.iter().all(|reference| after.contains(reference)));
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_rows_or_reasons(bytes in proptest::collection::vec(0_u8.., 0..200)) {
        let _ = parse(&bytes, Tz::UTC);
    }

    #[test]
    fn any_text_under_a_good_header_gives_rows_that_keep_their_promise(
        text in "[a-b@,;\"\r\n\t 0-9é\u{0}.-]{0,80}"
    ) {
        let file = format!("account,credits,expires,reason,reference\n{text}");
        match parse(file.as_bytes(), Tz::UTC) {
            Ok(rows) => {
                let mut references: Vec<_> = rows.iter().map(|row| &row.reference).collect();
                references.sort();
                references.dedup();
                proptest::prop_assert_eq!(references.len(), rows.len());
                for row in &rows {
                    proptest::prop_assert!((1..=credits::MAX_CREDITS_AT_ONCE).contains(&row.credits));
                    proptest::prop_assert!(!row.account.is_empty());
                }
            }
            Err(CsvProblems { problems, .. }) => proptest::prop_assert!(!problems.is_empty()),
        }
    }
}

//! Files of rows, good and bad.

use std::cell::RefCell;
use std::io::{Seek as _, SeekFrom, Write as _};

use chrono_tz::Tz;

use super::cross_checks::CrossChecks;
use super::import::{ImportError, ImportHooks, PartAction, import};
use super::parts::{MAX_ROWS_AT_ONCE, ROWS_OF_PART};
use super::problems::FileProblems;
use super::rows::{ReadOptions, RowReader};
use crate::control::exit;
use crate::control::protocol::account::ImportView;
use crate::control::protocol::credits::ImportRow;
use crate::control::protocol::{Refusal, SCHEMA};
use crate::domain::credit_number::MAX_CREDITS_AT_ONCE;
use crate::domain::import_columns::{ColumnMapping, ColumnOptions};

const PREFIX: &str = "import:";

fn options(map: &[&str], ignore: &[&str]) -> ReadOptions {
    let mappings = map.iter().map(|text| text.parse::<ColumnMapping>());
    ReadOptions {
        zone: Tz::UTC,
        columns: ColumnOptions {
            mappings: mappings.collect::<Result<_, _>>().expect("mappings"),
            ignored: ignore.iter().map(|name| (*name).to_owned()).collect(),
        },
    }
}

/// Reads a whole file, as a check does that asks no ledger.
fn read_with(bytes: &[u8], options: &ReadOptions) -> Result<Vec<ImportRow>, FileProblems> {
    let mut reader = RowReader::open(bytes, options)?;
    let mut checks = CrossChecks::new(reader.has_references(), reader.has_details());
    let mut problems = FileProblems::default();
    let mut rows = Vec::new();
    while let Some(row) = reader.read_row().map_err(FileProblems::of_file)? {
        for text in row.problems {
            problems.add(row.line, text);
        }
        let Some(read) = row.row else { continue };
        match checks.check_reference(&read) {
            Some(text) => problems.add(row.line, text),
            None => rows.push(read),
        }
    }
    if reader.rows() == 0 {
        return Err(FileProblems::of_file("there are no rows under the header"));
    }
    if problems.is_empty() {
        Ok(rows)
    } else {
        Err(problems)
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<ImportRow>, FileProblems> {
    read_with(bytes, &options(&[], &[]))
}

/// Returns a row as one text: account, credits, expiry, reason and given reference.
fn show(row: ImportRow) -> (u64, String) {
    let expires = row.expires.unwrap_or_else(|| "-".to_owned());
    let reason = row.reason.unwrap_or_else(|| "-".to_owned());
    let reference = match row.reference.starts_with(PREFIX) {
        true => "-".to_owned(),
        false => row.reference,
    };
    let text = format!(
        "{} {} {expires} {reason} {reference}",
        row.account, row.credits
    );
    (row.line, text)
}

/// Returns the line of each row, with its account, credits, expiry, reason and given reference.
fn parse_rows(text: &str) -> Vec<(u64, String)> {
    let rows = parse(text.as_bytes()).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
    rows.into_iter().map(show).collect()
}

fn parse_references(text: &str) -> Vec<String> {
    let rows = parse(text.as_bytes()).unwrap_or_else(|bad| panic!("{text:?}: {bad:?}"));
    rows.into_iter().map(|row| row.reference).collect()
}

/// Returns each problem as the operator reads it, in order.
fn problems(bytes: &[u8]) -> Vec<String> {
    match parse(bytes) {
        Ok(rows) => panic!("{rows:?}"),
        Err(bad) => {
            let lines = bad.listed().into_iter();
            let lines = lines.map(|problem| format!("{}: {}", problem.line, problem.text));
            bad.of_file.clone().into_iter().chain(lines).collect()
        }
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
                  expires,reason,reference,tier,tags,aliases,attribute:NAME; `--map \
                  account=COLUMN` says what a column with another name holds, and `--ignore \
                  COLUMN` leaves one out";
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
            b"bo@x.org,4\n",
            header_problem(
                "column 1 is called \"bo@x.org\"; column 2 is called \"4\"; there is no column \
               \"account\"; there is no column \"credits\"",
            ),
        ),
        (
            b"account,credits,total\nbo,4,x\n",
            header_problem("column 3 is called \"total\""),
        ),
        (
            b"account,credits,Account\nbo,4,bo\n",
            header_problem("there are two columns for account: \"account\" and \"Account\""),
        ),
        (b"account\nbo\n", header_problem("there is no column \"credits\"")),
        (
            b"account,credits,\nbo,4,x\n",
            "2: column 3 has no name in the first line, and holds \"x\" here".into(),
        ),
        (
            b"account,credits,,reason\nbo,4,x,y\n",
            "2: column 3 has no name in the first line, and holds \"x\" here".into(),
        ),
        (
            b"sep=|\naccount|credits\n",
            "1: it names \"|\" as the separator; commas, semicolons and tabs are read".into(),
        ),
        (
            b"account;credits\nbo,4\n",
            "2: it has 1 field, and the header has 2 columns; separate them by semicolons".into(),
        ),
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
            "2: it contains the character '\\0', as UTF-16 text without a byte order mark does; \
             save the file as CSV in UTF-8"
                .into(),
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
        (b"account,credits\n,4\n", "2: column 1 (account): the account is missing".into()),
        (
            b"account,credits\nbo example,4\n",
            "2: column 1 (account): the account \"bo example\" contains a space".into(),
        ),
        (
            long.as_bytes(),
            "2: column 1 (account): the account is longer than 320 bytes".into(),
        ),
        (
            b"account,credits\nbo,\n",
            "2: column 2 (credits): the number of credits is missing".into(),
        ),
        (
            b"account,credits\nbo,3.5\n",
            "2: column 2 (credits): credits are whole numbers; \"3.5\" is not".into(),
        ),
        (
            b"account,credits\nbo,-1\n",
            "2: column 2 (credits): credits cannot be negative; `maitred credits revoke` takes some back".into(),
        ),
        (
            b"account,credits\nbo,\"1,000\"\n",
            "2: column 2 (credits): \"1,000\" has two meanings, because its sign may separate \
             thousands or a fraction; write digits only, as in 1000"
                .into(),
        ),
        (
            b"account,credits\nbo,1000000001\n",
            "2: column 2 (credits): one command grants 1 to 1000000000 credits, and not 1000000001".into(),
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
            "2: column 3 (expires): \"30d\" is not a time; write 2026-12-31, 31.12.2026 or \
             2026-12-31T18:00:00Z"
                .into(),
        ),
        (
            b"Kunde;Gutschein\n",
            header_problem(
                "column 1 is called \"Kunde\"; column 2 is called \"Gutschein\"; there is no \
                 column \"account\"; there is no column \"credits\"",
            ),
        ),
        (
            b"account,credits,expires\nbo,4,01/02/2099\n",
            "2: column 3 (expires): \"01/02/2099\" has two meanings, because the day or the month \
             may be first; write 2099-02-01 or 2099-01-02"
                .into(),
        ),
        (
            b"E-Mail,credits\nbo@@example.com,4\n",
            "2: column 1 (E-Mail): \"bo@@example.com\" cannot be an e-mail address: it contains \
             '@'"
                .into(),
        ),
        (
            long_reason.as_bytes(),
            "2: column 3 (reason): the reason is longer than 500 characters".into(),
        ),
        (
            long_reference.as_bytes(),
            "2: column 3 (reference): the reference is longer than 320 bytes".into(),
        ),
        (
            b"account,credits,reference\nbo,4,a\tb\n",
            "2: a field contains a tab; separate all columns alike".into(),
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

/// What spreadsheets and shops write.
#[test]
fn files_of_spreadsheets_and_shops_are_read() {
    let utf16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>()
    };
    let bo = "bo@x.org 3 - - -";
    let until = "bo@x.org 3 2100-01-01T00:00:00Z - -";
    let table: [(Vec<u8>, &str); 16] = [
        (
            b"account;credits;expires\r\nbo@x.org;3;31.12.2099\r\n".to_vec(),
            until,
        ),
        (b"sep=;\r\naccount;credits\r\nbo@x.org;3\r\n".to_vec(), bo),
        (b"\"sep=,\"\naccount,credits\nbo@x.org,3\n".to_vec(), bo),
        (b"account\tcredits\nbo@x.org\t3\n".to_vec(), bo),
        (utf16("account\tcredits\r\nbo@x.org\t3\r\n"), bo),
        (b"account,credits,,\nbo@x.org,3,,\n".to_vec(), bo),
        (b"account,credits,,\nbo@x.org,3\n".to_vec(), bo),
        (b"account,credits\nbo@x.org,3,,,\n,,,,\n".to_vec(), bo),
        (b"account,,credits\nbo@x.org,,3\n".to_vec(), bo),
        (b"account,credits\nbo@x.org,\"3,00\"\n".to_vec(), bo),
        (b"account,credits\nbo@x.org,3.0\n".to_vec(), bo),
        (b"Email,Name,Credits\nbo@x.org,Bo,3\n".to_vec(), bo),
        (
            "E-Mail;Vorname;Guthaben;Gültig bis\nBo@X.org;Bo;3,00;31.12.2099\n".into(),
            until,
        ),
        ("Adresse e-mail;Crédits\nbo@x.org;3\n".into(), bo),
        (
            "\u{feff}\"Correo electrónico\",\"Créditos\"\n\"bo@x.org\",\"3\"\n".into(),
            bo,
        ),
        (
            b"\"account\";\"credits\";\"reason\"\n\"bo@x.org\";\"3\";\"a;b, c\"\n".to_vec(),
            "bo@x.org 3 - a;b, c -",
        ),
    ];
    for (file, expect) in table {
        let rows = parse(&file).unwrap_or_else(|bad| panic!("{file:?}: {bad:?}"));
        let shown: Vec<String> = rows.into_iter().map(|row| show(row).1).collect();
        assert_eq!(shown, [expect], "{}", String::from_utf8_lossy(&file));
    }
}

#[test]
fn a_column_is_mapped_or_left_out_by_its_name() {
    let file =
        b"Order number;Customer;Email;Quantity;Total;Colour\n17;bo@x.org;al@x.org;3;9,90;red\n";
    let map = [
        "account=customer",
        "credits=Quantity",
        "reference=Order number",
        "attribute:colour=Colour",
    ];
    let rows = read_with(file, &options(&map, &["Total"])).expect("it is read");
    assert_eq!(
        rows[0].attributes,
        [("colour".to_owned(), "red".to_owned())].into()
    );
    assert_eq!(show(rows[0].clone()), (2, "bo@x.org 3 - - 17".to_owned()));
    let reader = RowReader::open(file.as_slice(), &options(&map, &["Total"])).expect("it opens");
    assert_eq!(reader.ignored_columns(), ["Email", "Total"]);

    let bad = [
        (
            vec!["account=Kunde"],
            vec![],
            "there is no column \"Kunde\"",
        ),
        (
            vec!["account=Customer"],
            vec![],
            "column 5 is called \"Total\"",
        ),
        (
            vec!["account=Customer", "reason=customer"],
            vec![],
            "column 1 is called",
        ),
    ];
    for (map, ignore, expect) in bad {
        let Err(bad) = read_with(file, &options(&map, &ignore)) else {
            panic!("{expect}");
        };
        let text = bad.describe("shop.csv");
        assert!(text.contains(expect), "{expect}: {text}");
    }
    for (text, expect) in [
        ("account", "expected FIELD=COLUMN"),
        ("member=E-Mail", "there is no field \"member\""),
        ("attribute:=E-Mail", "there is no field"),
        ("account= ", "name the column"),
    ] {
        let error = text.parse::<ColumnMapping>().expect_err(text);
        assert!(error.contains(expect), "{error}");
    }
}

#[test]
fn a_row_may_give_aliases_and_attributes() {
    let text =
        "account,credits,aliases,Attribute:Seat\nbo@x.org,3,\"Bo@Work.org, b@x.org\",A 4\nal,1,,\n";
    let rows = parse(text.as_bytes()).expect("it is read");
    assert_eq!(rows[0].aliases, ["bo@work.org", "b@x.org"]);
    assert_eq!(
        rows[0].attributes,
        [("Seat".to_owned(), "A 4".to_owned())].into()
    );
    assert!(rows[1].aliases.is_empty() && rows[1].attributes.is_empty());
    let bad = problems(b"account,credits,alias\nbo@x.org,3,bo at work\n");
    assert_eq!(
        bad,
        ["2: column 3 (alias): \"bo\" cannot be an e-mail address: it has no @"]
    );
}

#[test]
fn the_inputs_that_failed_before_are_read_from_their_bytes() {
    // A quote that is never closed costs one problem, and not the rest of a long file.
    let mut file = b"account,credits\n\"bo,4\n".to_vec();
    for line in 0..20_000 {
        file.extend_from_slice(format!("a{line},1\n").as_bytes());
    }
    let found = problems(&file);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2: a field continues"), "{found:?}");
    let long = format!("account,credits\n{},4\nbo,4\n", "x".repeat(70_000));
    assert_eq!(problems(long.as_bytes()), ["2: it is longer than 64 KiB"]);
}

#[test]
fn every_bad_row_is_named_and_every_mistake_in_it() {
    let text = "account,credits,expires\n\
                bo,4,\n\
                ,x,soon\n\
                \n\
                al,1000000001,\n\
                cy,5,\n";
    let bad = parse(text.as_bytes()).unwrap_err();
    insta::assert_snapshot!(bad.describe("members.csv"), @r#"
    nothing of members.csv was imported:
      line 3: column 1 (account): the account is missing
      line 3: column 2 (credits): "x" is not a number; write digits only, as in 4
      line 3: column 3 (expires): "soon" is not a time; write 2026-12-31, 31.12.2026 or 2026-12-31T18:00:00Z
      line 5: column 2 (credits): one command grants 1 to 1000000000 credits, and not 1000000001
    "#);
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
    let rows = parse(text.as_bytes()).unwrap();
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
        let _ = parse(&bytes);
    }

    #[test]
    fn any_text_under_a_good_header_gives_rows_that_keep_their_promise(
        text in "[a-b@,;\"\r\n\t 0-9é\u{0}.-]{0,80}"
    ) {
        let file = format!("account,credits,expires,reason,reference\n{text}");
        match parse(file.as_bytes()) {
            Ok(rows) => {
                let mut references: Vec<_> = rows.iter().map(|row| &row.reference).collect();
                references.sort();
                references.dedup();
                proptest::prop_assert_eq!(references.len(), rows.len());
                for row in &rows {
                    proptest::prop_assert!((0..=MAX_CREDITS_AT_ONCE).contains(&row.credits));
                    proptest::prop_assert!(!row.account.is_empty());
                }
            }
            Err(bad) => proptest::prop_assert!(!bad.is_empty()),
        }
    }
}

/// A ledger that remembers references, and what was sent to it.
#[derive(Default)]
struct FakeLedger {
    references: std::collections::BTreeSet<String>,
    sent: Vec<(PartAction, usize)>,
    /// How many parts are written before the ledger fails.
    fails_after: Option<usize>,
}

impl FakeLedger {
    fn send(&mut self, rows: Vec<ImportRow>, action: PartAction) -> Result<ImportView, Refusal> {
        let written = self.sent.iter().filter(|(a, _)| *a == PartAction::Write);
        if action == PartAction::Write && self.fails_after == Some(written.count()) {
            return Err(Refusal {
                exit: exit::FAILED,
                code: "store".to_owned(),
                text: "the disk is full".to_owned(),
            });
        }
        self.sent.push((action, rows.len()));
        let new = rows
            .iter()
            .filter(|row| !self.references.contains(&row.reference));
        let new: Vec<String> = new.map(|row| row.reference.clone()).collect();
        let view = serde_json::json!({
            "schema": SCHEMA, "rows": rows.len(), "granted": new.len(),
            "already_imported": rows.len() - new.len(), "credits": new.len(),
            "accounts_opened": 0, "dry_run": false,
        });
        if action == PartAction::Write {
            self.references.extend(new);
        }
        Ok(serde_json::from_value(view).expect("a view"))
    }
}

fn import_file(
    text: &[u8],
    ledger: &mut FakeLedger,
    dry_run: bool,
    is_stopped: impl Fn(usize) -> bool,
) -> Result<ImportView, ImportError> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text).expect("it is written");
    file.seek(SeekFrom::Start(0))
        .expect("it is read from its start");
    let sent = RefCell::new(0);
    let mut hooks = ImportHooks {
        send: &mut |rows, action| {
            *sent.borrow_mut() += 1;
            ledger.send(rows, action)
        },
        progress: &mut |_| {},
        is_stopped: &|| is_stopped(*sent.borrow()),
    };
    import(&file, &options(&[], &[]), dry_run, &mut hooks)
}

fn many_rows(rows: usize) -> Vec<u8> {
    let lines: String = (0..rows).map(|n| format!("m{n}@x.org,1\n")).collect();
    format!("account,credits\n{lines}").into_bytes()
}

#[test]
fn a_file_that_fits_one_part_is_written_at_once_and_a_larger_one_in_parts() {
    use PartAction::{Check, Write};
    let mut ledger = FakeLedger::default();
    let small = many_rows(3);
    import_file(&small, &mut ledger, true, |_| false).expect("a dry run");
    assert_eq!(ledger.sent, [(Check, 3)]);
    import_file(&small, &mut ledger, false, |_| false).expect("an import");
    assert_eq!(ledger.sent[1..], [(Check, 3), (Write, 3)]);
    let again = import_file(&small, &mut ledger, false, |_| false).expect("again");
    assert_eq!((again.granted, again.already_imported), (0, 3));
    assert_eq!(ledger.sent[3..], [(Check, 3)], "nothing is written");

    let rows = MAX_ROWS_AT_ONCE + 1;
    let parts = rows.div_ceil(ROWS_OF_PART);
    let mut ledger = FakeLedger::default();
    let view = import_file(&many_rows(rows), &mut ledger, false, |_| false).expect("an import");
    assert_eq!((view.rows, view.granted, view.parts), (rows, rows, parts));
    assert_eq!(ledger.sent.len(), 2 * parts);
    assert_eq!(ledger.sent[parts - 1], (Check, 1));
    assert_eq!(ledger.sent[parts], (Write, ROWS_OF_PART));
}

#[test]
fn an_import_that_ends_in_between_is_completed_by_the_same_file() {
    let rows = MAX_ROWS_AT_ONCE + 1;
    let file = many_rows(rows);
    let mut ledger = FakeLedger {
        fails_after: Some(2),
        ..FakeLedger::default()
    };
    let Err(ImportError::Halfway(halfway)) = import_file(&file, &mut ledger, false, |_| false)
    else {
        panic!("it ends halfway");
    };
    assert_eq!(
        (halfway.written.granted, halfway.rows),
        (2 * ROWS_OF_PART, rows as u64)
    );
    assert!(
        halfway
            .refusal
            .is_some_and(|refusal| refusal.text.contains("disk is full"))
    );
    // Stopped by a signal, after the check and two more parts.
    ledger.fails_after = None;
    let checks = rows.div_ceil(ROWS_OF_PART);
    let stopped = import_file(&file, &mut ledger, false, |sent| sent == checks + 3);
    let Err(ImportError::Halfway(halfway)) = stopped else {
        panic!("it is stopped");
    };
    assert!(halfway.refusal.is_none());
    assert_eq!(halfway.written.granted, ROWS_OF_PART);
    let view = import_file(&file, &mut ledger, false, |_| false).expect("completed");
    assert_eq!(view.granted + view.already_imported, rows);
    assert_eq!(ledger.references.len(), rows, "each row counts once");
    let stopped = import_file(&many_rows(2), &mut ledger, false, |_| true);
    assert!(
        matches!(stopped, Err(ImportError::StoppedBefore)),
        "{stopped:?}"
    );
}

#[test]
fn a_large_file_is_checked_as_a_whole_before_its_first_part_is_written() {
    let mut file = many_rows(MAX_ROWS_AT_ONCE + 1);
    file.extend_from_slice(b"bo@x.org,x\n");
    let mut ledger = FakeLedger::default();
    let Err(ImportError::Problems(bad)) = import_file(&file, &mut ledger, false, |_| false) else {
        panic!("it is refused");
    };
    assert!(
        bad.describe("a.csv")
            .contains("line 50003: column 2 (credits): \"x\"")
    );
    assert!(ledger.references.is_empty());

    // Rows of different parts that contradict each other.
    let rows: String = (0..MAX_ROWS_AT_ONCE)
        .map(|n| format!("m{n}@x.org,1,,,r{n}\n"))
        .collect();
    let file = format!(
        "account,credits,tier,aliases,reference\nbo@x.org,1,gold,b@x.org,a\n{rows}\
         bo@x.org,1,iron,,b\ncy@x.org,1,,b@x.org,c\nb@x.org,1,,,d\nm1@x.org,1,,,r7\n\
         di@x.org,1,,m2@x.org,e\nbo@x.org,1,,,f\n"
    );
    let result = import_file(file.as_bytes(), &mut ledger, false, |_| false);
    let Err(ImportError::Problems(bad)) = result else {
        panic!("it is refused");
    };
    let found: Vec<String> = bad
        .listed()
        .into_iter()
        .map(|problem| problem.text)
        .collect();
    for (found, expect) in found.iter().zip([
        "line 2 gives bo@x.org another tier",
        "line 2 gives the alias b@x.org to another account",
        "b@x.org is an alias in line 2",
        "line 10 has the reference \"r7\" already",
        "the alias m2@x.org is the account of line 5",
    ]) {
        assert!(found.contains(expect), "{expect}: {found}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(ledger.references.is_empty());
}

#[test]
fn more_problems_than_are_listed_are_counted() {
    let rows: String = (0..1_500).map(|_| "bo,x\n").collect();
    let mut ledger = FakeLedger::default();
    let file = format!("account,credits\n{rows}");
    let Err(ImportError::Problems(bad)) =
        import_file(file.as_bytes(), &mut ledger, false, |_| false)
    else {
        panic!("it is refused");
    };
    assert!(bad.describe("a.csv").ends_with("and 500 more"));
    assert!(
        ledger.sent.is_empty(),
        "the ledger is not asked about the wrong file"
    );
}

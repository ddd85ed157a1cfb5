//! Tests which commands the arguments give, as a table.

use std::ffi::OsString;

use super::super::args::Verb;
use super::super::command_line;
use super::*;
use crate::control::exit;
use crate::daemon::commands::operator_log::command_name;

#[expect(clippy::unnecessary_wraps, reason = "the real one reads a file")]
fn time_context() -> Result<TimeContext, Refusal> {
    let now = chrono::DateTime::parse_from_rfc3339("2026-12-01T09:00:00Z").unwrap();
    Ok(TimeContext {
        now: now.to_utc(),
        zone: chrono_tz::Tz::UTC,
    })
}

/// Returns the command for the words, with a file that always holds `file`.
fn command_from(words: &str, file: &str) -> Result<Command, Refusal> {
    let words = ["maitred"].into_iter().chain(words.split(' '));
    let args =
        command_line::parse(words.map(OsString::from)).unwrap_or_else(|stop| panic!("{stop:?}"));
    let Verb::Store(ask) = args.verb else {
        panic!("{:?}", args.verb);
    };
    build_command(
        &ask,
        &time_context,
        &|_, _| Ok(file.as_bytes().to_vec()),
        &fake_pin_hash,
    )
}

/// Returns a hash in place of that of a typed PIN.
fn fake_pin_hash() -> Result<String, Refusal> {
    Ok("hash".to_owned())
}

fn owned(text: &str) -> String {
    text.to_owned()
}

fn some_owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn words_become_commands() {
    let bo = || owned("bo@example.com");
    let table = [
        ("plan", Command::Plan {}),
        ("plan --exit-code", Command::Plan {}),
        (
            "pass",
            Command::Pass {
                watch: false,
                booking: None,
            },
        ),
        (
            "pass --watch",
            Command::Pass {
                watch: true,
                booking: None,
            },
        ),
        (
            "pass --booking kV2s9q",
            Command::Pass {
                watch: false,
                booking: some_owned("kV2s9q"),
            },
        ),
        ("status", Command::Status {}),
        ("page", Command::Page {}),
        ("statistics", Command::Statistics { days: 30 }),
        ("statistics --days 366", Command::Statistics { days: 366 }),
        (
            "unresolved",
            Command::Unresolved {
                limit: 100,
                after: None,
            },
        ),
        (
            "unresolved --limit 7",
            Command::Unresolved {
                limit: 7,
                after: None,
            },
        ),
        (
            "unresolved resolve b1 --reason known",
            Command::Resolve {
                booking: owned("b1"),
                code: None,
                reason: owned("known"),
            },
        ),
        (
            "unresolved resolve b1 --code revived --reason known",
            Command::Resolve {
                booking: owned("b1"),
                code: some_owned("revived"),
                reason: owned("known"),
            },
        ),
        (
            "pause --reason ill",
            Command::Pause(protocol::status::PauseCommand {
                gate: None,
                seconds: None,
                reason: owned("ill"),
            }),
        ),
        (
            "pause --for 2h --gate club --reason ill",
            Command::Pause(protocol::status::PauseCommand {
                gate: some_owned("club"),
                seconds: Some(7_200),
                reason: owned("ill"),
            }),
        ),
        ("resume", Command::Resume { gate: None }),
        (
            "resume --gate club",
            Command::Resume {
                gate: some_owned("club"),
            },
        ),
        ("reload", Command::Reload {}),
        ("status --check --max-age 1h", Command::Status {}),
        ("ledger verify", Command::Verify {}),
        ("ledger export --out log.jsonl", Command::Head {}),
        ("backup there", Command::Head {}),
        (
            "credits export",
            Command::CreditsExport {
                after: None,
                limit: 1_000,
            },
        ),
        (
            "review list --all",
            Command::Reviews {
                all: true,
                limit: 100,
                after: None,
            },
        ),
        (
            "review decline kV2s9q --reason closed",
            Command::Review(review::ReviewCommand {
                booking: owned("kV2s9q"),
                decision: review::ReviewAnswer::Decline,
                reason: some_owned("closed"),
            }),
        ),
        (
            "account set bo@example.com --tier gold --tag a --tag b --untag c --attribute seat=12 \
             --no-attribute old",
            Command::AccountSet(AccountSetCommand {
                account: bo(),
                tier: some_owned("gold"),
                no_tier: false,
                tags: vec![owned("a"), owned("b")],
                untags: vec![owned("c")],
                attributes: BTreeMap::from([(owned("seat"), owned("12"))]),
                no_attributes: vec![owned("old")],
                ..AccountSetCommand::default()
            }),
        ),
        (
            "account freeze bo@example.com --reason unpaid",
            Command::AccountFreeze {
                account: bo(),
                reason: some_owned("unpaid"),
            },
        ),
        (
            "account thaw bo@example.com",
            Command::AccountFreeze {
                account: bo(),
                reason: None,
            },
        ),
        (
            "account erase bo@example.com --reason left --name Bo --yes",
            Command::AccountErase(protocol::account::AccountEraseCommand {
                account: bo(),
                reason: owned("left"),
                names: vec![owned("Bo")],
            }),
        ),
        (
            "account pin set bo@example.com",
            Command::AccountPin {
                account: bo(),
                hash: some_owned("hash"),
            },
        ),
        (
            "account pin clear bo@example.com",
            Command::AccountPin {
                account: bo(),
                hash: None,
            },
        ),
        (
            "credits grant bo@example.com 4",
            Command::Grant(protocol::credits::GrantCommand {
                new: false,
                account: bo(),
                credits: 4,
                expires: None,
                reason: None,
                reference: None,
                ..protocol::credits::GrantCommand::default()
            }),
        ),
        (
            "credits grant bo@example.com 4 --expires 2026-12-31 --reason dues --reference r1",
            Command::Grant(protocol::credits::GrantCommand {
                new: false,
                account: bo(),
                credits: 4,
                expires: some_owned("2027-01-01T00:00:00Z"),
                reason: some_owned("dues"),
                reference: some_owned("r1"),
                ..protocol::credits::GrantCommand::default()
            }),
        ),
        (
            "credits grant bo@example.com 4 --expires 30d",
            Command::Grant(protocol::credits::GrantCommand {
                new: false,
                account: bo(),
                credits: 4,
                expires: some_owned("2027-01-01T00:00:00Z"),
                reason: None,
                reference: None,
                ..protocol::credits::GrantCommand::default()
            }),
        ),
        (
            "credits revoke bo@example.com 2 --reason mistake --reference r2",
            Command::Revoke(protocol::credits::RevokeCommand {
                account: bo(),
                credits: 2,
                reason: some_owned("mistake"),
                reference: some_owned("r2"),
            }),
        ),
        (
            "credits list bo@example.com",
            Command::Grants { account: bo() },
        ),
        (
            "account show bo@example.com",
            Command::AccountShow { account: bo() },
        ),
        (
            "account list",
            Command::AccountList {
                after: None,
                limit: 100,
                search: None,
            },
        ),
        (
            "account list --after bo@example.com --limit 7 --search example",
            Command::AccountList {
                after: Some(bo()),
                limit: 7,
                search: some_owned("example"),
            },
        ),
        (
            "account statement bo@example.com --limit 7",
            Command::AccountStatement {
                account: bo(),
                limit: 7,
                after: None,
                from: None,
                to: None,
            },
        ),
        (
            "account alias bo@example.com bo@work.example",
            Command::AccountAlias {
                account: bo(),
                alias: owned("bo@work.example"),
                remove: false,
            },
        ),
        (
            "account alias bo@example.com bo@work.example --remove",
            Command::AccountAlias {
                account: bo(),
                alias: owned("bo@work.example"),
                remove: true,
            },
        ),
        (
            "decisions",
            Command::Decisions(protocol::decisions::DecisionQuery {
                limit: 50,
                ..protocol::decisions::DecisionQuery::default()
            }),
        ),
        (
            "decisions --since 7d --limit 9",
            Command::Decisions(protocol::decisions::DecisionQuery {
                since: some_owned("2026-11-24T09:00:00Z"),
                limit: 9,
                ..protocol::decisions::DecisionQuery::default()
            }),
        ),
        (
            "decisions --booker bo@example.com --gate club --outcome declined",
            Command::Decisions(protocol::decisions::DecisionQuery {
                since: None,
                limit: 50,
                booker: Some(bo()),
                gate: some_owned("club"),
                outcome: some_owned("declined"),
                after: None,
            }),
        ),
        (
            "explain kV2s9q",
            Command::Explain {
                booking: owned("kV2s9q"),
            },
        ),
        (
            "evaluate booking.json --at 2026-12-01",
            Command::Evaluate {
                text: owned("account,credits\nbo,4\n"),
                at: some_owned("2026-12-01T00:00:00Z"),
            },
        ),
        (
            "--format json evaluate -",
            Command::Evaluate {
                text: owned("account,credits\nbo,4\n"),
                at: None,
            },
        ),
    ];
    for (words, expect) in table {
        let command = command_from(words, "account,credits\nbo,4\n");
        assert_eq!(command, Ok(expect), "{words}");
    }
}

#[test]
fn what_cannot_be_understood_names_the_flag_or_the_file() {
    let table = [
        (
            "credits grant bo 4 --expires soon",
            "account,credits\nbo,4\n",
            "--expires: \"soon\" is not a time",
        ),
        (
            "decisions --since 2026-13-01",
            "",
            "--since: \"2026-13-01\"",
        ),
        ("evaluate booking.json --at x", "{}", "--at: \"x\""),
    ];
    for (words, file, expect) in table {
        let refusal = command_from(words, file).unwrap_err();
        assert_eq!(refusal.exit, exit::USAGE);
        assert!(refusal.text.starts_with(expect), "{refusal}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_is_no_text_is_refused() {
    let store_command = StoreCommand::Evaluate(EvaluateArgs {
        file: "booking.json".into(),
        at: None,
    });
    let unreadable = Refusal::usage("booking.json cannot be read".to_owned());
    let result = build_command(
        &store_command,
        &time_context,
        &|_, _| Err(unreadable.clone()),
        &fake_pin_hash,
    );
    assert_eq!(result, Err(unreadable.clone()));
    let read_bad_bytes = |_: &Path, _| Ok(b"{\"a\":\"\xff\"}".to_vec());
    let refusal = build_command(
        &store_command,
        &time_context,
        &read_bad_bytes,
        &fake_pin_hash,
    )
    .unwrap_err();
    assert_eq!(
        refusal.text,
        "booking.json is not UTF-8 text: the byte at 6 is not"
    );
}

/// The log names a command as the operator typed it.
#[test]
fn the_log_has_the_words_of_the_command_line() {
    let rows = [
        ("plan", ""),
        ("pass", ""),
        ("status", ""),
        ("pause", "--reason ill"),
        ("resume", ""),
        ("reload", ""),
        ("page", ""),
        ("credits grant", "bo@example.com 1"),
        ("credits revoke", "bo@example.com 1"),
        ("credits export", ""),
        ("credits list", "bo@example.com"),
        ("account show", "bo@example.com"),
        ("account list", ""),
        ("account alias", "bo@example.com b@example.com"),
        ("account alias --remove", "bo@example.com b@example.com"),
        ("account set", "bo@example.com --tier gold"),
        ("account freeze", "bo@example.com --reason unpaid"),
        ("account thaw", "bo@example.com"),
        ("account erase", "bo@example.com --reason left"),
        ("account pin set", "bo@example.com"),
        ("account pin clear", "bo@example.com"),
        ("account statement", "bo@example.com"),
        ("decisions", ""),
        ("explain", "b1"),
        ("evaluate", "booking.json"),
        ("review list", ""),
        ("review confirm", "b1"),
        ("review decline", "b1"),
        ("charges list", ""),
        ("unresolved", ""),
        ("unresolved resolve", "b1 --reason known"),
        ("ledger verify", ""),
        ("ledger export", ""),
        ("ledger show", ""),
        ("ledger move", "--server cal.example --reason moved"),
        ("ledger accept-restore", "--reason checked"),
    ];
    for (name, values) in rows {
        let words = format!("{name} {values}");
        let command = command_from(words.trim_end(), "account,credits\nbo@example.com,1\n");
        assert_eq!(command_name(&command.unwrap()), name);
    }
    for (values, name) in [
        ("charges settle b1 refund", "charges settle refund"),
        ("charges settle b1 keep", "charges settle keep"),
    ] {
        assert_eq!(command_name(&command_from(values, "").unwrap()), name);
    }
}

//! Compares `docs/formats/` with what the program writes: the JSON of every command, of notifications,
//! and the facts of the log.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use maitred::cli::args::Args;
use serde_json::Value;

use super::runner::PageShell;
use super::{command_names, rehearsal, schema};

const SCHEMAS: &str = "docs/formats/commands.schema.json";

const NOTIFICATION_SCHEMA: &str = "docs/formats/notifications.schema.json";

/// The variable that makes the test write the schemas again after a change of the types.
pub const WRITE_VARIABLE: &str = "MAITRED_WRITE_DOCS";

/// A command, how it is called in the test (in this order), and the type that it prints.
const COMMANDS: [(&str, &str, &str); 48] = [
    ("check", "maitred check", "CheckView"),
    ("config show", "maitred config show", "ConfigView"),
    ("notify test", "maitred notify test", "NotifyTestView"),
    ("init", "maitred init", "InitView"),
    ("plan", "maitred plan", "PassView"),
    ("run", "maitred run --once --watch", "PassView"),
    ("evaluate", "maitred evaluate booking.json", "EvaluateView"),
    (
        "policy test",
        "maitred policy test cases.toml",
        "PolicyTestView",
    ),
    (
        "policy replay",
        "maitred policy replay --since 1d",
        "ReplayView",
    ),
    (
        "credits grant",
        "maitred credits grant cy@example.com 2 --new",
        "GrantRecordView",
    ),
    (
        "credits revoke",
        "maitred credits revoke cy@example.com 1",
        "GrantRecordView",
    ),
    (
        "credits set",
        "maitred credits set cy@example.com 4",
        "AccountView",
    ),
    (
        "credits transfer",
        "maitred credits transfer cy@example.com dy@example.com 1 --new",
        "GrantRecordView",
    ),
    (
        "account rename",
        "maitred account rename dy@example.com ey@example.com",
        "AccountView",
    ),
    (
        "account merge",
        "maitred account merge ey@example.com cy@example.com",
        "AccountView",
    ),
    (
        "account close",
        "maitred account close cy@example.com --reason left --forfeit",
        "AccountView",
    ),
    (
        "account reopen",
        "maitred account reopen cy@example.com",
        "AccountView",
    ),
    (
        "credits list",
        "maitred credits list bo@example.com",
        "GrantsView",
    ),
    (
        "credits import",
        "maitred credits import members.csv",
        "ImportView",
    ),
    (
        "credits export",
        "maitred credits export --out out.csv",
        "FileExportView",
    ),
    (
        "credits accounting",
        "maitred credits accounting",
        "AccountingView",
    ),
    (
        "account show",
        "maitred account show bo@example.com",
        "AccountView",
    ),
    ("account list", "maitred account list", "AccountsView"),
    (
        "account statement",
        "maitred account statement bo@example.com",
        "StatementView",
    ),
    (
        "account alias",
        "maitred account alias bo@example.com bo@work.example",
        "AccountView",
    ),
    (
        "account set",
        "maitred account set bo@example.com --attribute seat=12",
        "AccountView",
    ),
    (
        "account freeze",
        "maitred account freeze bo@example.com --reason dues",
        "AccountView",
    ),
    (
        "account thaw",
        "maitred account thaw bo@example.com",
        "AccountView",
    ),
    (
        "account pin set",
        "maitred account pin set bo@example.com <<< 4711",
        "AccountView",
    ),
    (
        "account pin clear",
        "maitred account pin clear bo@example.com",
        "AccountView",
    ),
    (
        "members sync",
        "maitred --config club.toml members sync",
        "MembersSyncView",
    ),
    ("decisions", "maitred decisions", "DecisionsView"),
    (
        "statistics",
        "maitred statistics --days 7",
        "StatisticsView",
    ),
    (
        "explain",
        "maitred explain HwAgiy47ueD8VKJ6RJ1ynN",
        "ExplainView",
    ),
    ("review list", "maitred review list --all", "ReviewsView"),
    (
        "review confirm",
        "maitred review confirm mEVrQdK2Sd7Vykw5tq5QdT",
        "ReviewResultView",
    ),
    (
        "review decline",
        "maitred review decline yqBo5p4DR828iD7F4N3yEC --reason closed",
        "ReviewResultView",
    ),
    ("charges list", "maitred charges list --open", "ChargesView"),
    (
        "charges settle",
        "maitred charges settle HwAgiy47ueD8VKJ6RJ1ynN refund",
        "ChargesView",
    ),
    ("unresolved", "maitred unresolved", "UnresolvedView"),
    (
        "unresolved resolve",
        "maitred unresolved resolve ggkEpAwg3gjjB9cicTadka --reason guest",
        "UnresolvedView",
    ),
    ("ledger verify", "maitred ledger verify", "VerifyView"),
    (
        "ledger export",
        "maitred ledger export --out out.jsonl",
        "FileExportView",
    ),
    (
        "account erase",
        "maitred account erase elif@example.com --reason left --yes",
        "ErasureView",
    ),
    ("ledger show", "maitred ledger show", "LedgerView"),
    (
        "ledger move",
        "maitred ledger move --server cal.example.com --reason moved",
        "LedgerView",
    ),
    ("backup", "maitred backup copy", "CopyView"),
    (
        "report",
        "maitred report --html report.html",
        "FileExportView",
    ),
];

/// Commands that ask a daemon, or that need their own folder.
const DAEMON_COMMANDS: [(&str, &str); 9] = [
    ("pass", "PassView"),
    ("status", "StatusView"),
    ("page", "PageLinkView"),
    ("pause", "StatusView"),
    ("resume", "StatusView"),
    ("reload", "ReloadView"),
    ("ledger import", "CopyView"),
    ("restore", "CopyView"),
    ("ledger accept-restore", "LedgerView"),
];

/// Commands that print no JSON.
const COMMANDS_WITHOUT_JSON: [&str; 4] = ["demo", "sandbox", "completions", "man"];

fn document() -> Value {
    let mut roots: Vec<&str> = COMMANDS.iter().map(|(_, _, name)| *name).collect();
    roots.extend(DAEMON_COMMANDS.iter().map(|(_, name)| *name));
    roots.extend(["Refusal", "HealthView", "BackupCheckView"]);
    schema::document(&roots)
}

fn notification_document() -> Value {
    schema::titled_document(
        &["NotificationView"],
        "What maitred sends to the targets of notifications",
        "A notification is a NotificationView; docs/formats/notifications.md explains its fields.",
    )
}

fn path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn the_schemas_match_the_types() {
    let files = [
        (SCHEMAS, document()),
        (NOTIFICATION_SCHEMA, notification_document()),
    ];
    for (file, document) in files {
        let text = schema::text(&document);
        if std::env::var_os(WRITE_VARIABLE).is_some() {
            fs::write(path(file), &text).unwrap();
        }
        let stored = fs::read_to_string(path(file)).unwrap_or_default();
        assert!(
            stored == text,
            "{file}: run {WRITE_VARIABLE}=1 cargo test --test docs schemas, and look at the difference"
        );
    }
}

#[test]
fn notifications_fit_their_schema() {
    let document = notification_document();
    let root = &document["$defs"]["NotificationView"];
    let page = fs::read_to_string(path("docs/formats/notifications.md")).unwrap();
    let (_, example) = page.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let mut shell = PageShell::start();
    shell.run_page("README.md", &rehearsal()).unwrap();
    let target = "[[notify]]\nname = \"file\"\nkinds = [\"decision\"]\n\
                  command = [\"/bin/sh\", \"-c\", \"cat >> told.jsonl\"]\n";
    shell.write_file("target.toml", target);
    let told = "cat config.toml target.toml > notify.toml && \
                maitred --config notify.toml notify test > out && cat told.jsonl";
    let told = shell.output_of(told);
    for text in [example, &told] {
        let value: Value = serde_json::from_str(text.trim()).unwrap();
        schema::check(&document, root, &value, "").unwrap_or_else(|why| panic!("{why}: {text}"));
    }
    for field in root["properties"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("`{field}`")),
            "{field} is not described"
        );
    }
}

#[test]
fn every_command_is_in_the_table_of_schemas() {
    let page = fs::read_to_string(path("docs/formats/commands.md")).unwrap();
    let tried = COMMANDS.iter().map(|(name, _, view)| (*name, *view));
    let all: Vec<(&str, &str)> = tried.chain(DAEMON_COMMANDS).collect();
    for (name, view) in &all {
        let row = format!("| `{name}` | `{view}` |");
        assert!(
            page.contains(&row),
            "docs/formats/commands.md lacks the row {row}"
        );
    }
    for name in command_names(&Args::command()) {
        let known = COMMANDS_WITHOUT_JSON.contains(&name.as_str())
            || all.iter().any(|(known, _)| *known == name);
        assert!(
            known,
            "{name} is neither tried here nor said to print no JSON"
        );
    }
}

const BOOKING: &str = include_str!("../../fixtures/policy/booking.json");
const CASES: &str = "[[case]]\nmember = { credits = 3 }\nexpect = \"decline\"\n";

#[test]
fn what_commands_print_fits_their_schemas() {
    let document = document();
    let mut shell = PageShell::start();
    shell.run_page("README.md", &rehearsal()).unwrap();
    shell.write_file("booking.json", BOOKING);
    shell.write_file("cases.toml", CASES);
    shell.write_file(
        "source.toml",
        "[[source]]\nname = \"club\"\ncsv = \"club.csv\"\n",
    );
    shell.write_file("club.csv", "address\nzoe@example.com\n");
    shell.output_of("cat config.toml source.toml > club.toml && echo made");
    let fits = |command: &str, view: &str, printed: &str| {
        let value: Value = serde_json::from_str(printed.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{command}: {error}: {printed}"));
        let root = &document["$defs"][view];
        if let Err(why) = schema::check(&document, root, &value, "") {
            panic!("{command} is not a {view}: {why}\n{value:#}");
        }
    };
    for (_, command, view) in COMMANDS {
        let printed = shell.output_of(&command.replacen("maitred", "maitred --format json", 1));
        fits(command, view, &printed);
    }
    let refused = shell.output_of("maitred --format json credits list nobody@example.com 2>&1");
    fits("a refused command", "Refusal", &refused);
}

#[test]
fn what_a_daemon_and_a_restore_print_fits_their_schemas() {
    let document = document();
    let mut shell = PageShell::start();
    shell.run_page("README.md", &rehearsal()).unwrap();
    let page = r#"$ printf '\n[page]\nlisten = "127.0.0.1:0"\n' >> config.toml"#;
    let start = &format!("```console\n{page}\n$ maitred run &\n```\n");
    let stop = "```console\n$ kill $!\n$ maitred backup copy\n$ maitred ledger export --full --out full.jsonl\n$ mv ledger old\n```\n";
    let tried = [
        ("pass", "maitred --format json pass --watch"),
        ("status", "maitred --format json status"),
        ("page", "maitred --format json page"),
        ("pause", "maitred --format json pause --reason ill"),
        ("resume", "maitred --format json resume"),
        ("reload", "maitred --format json reload"),
        (
            "ledger import",
            "maitred --format json ledger import full.jsonl",
        ),
        ("restore", "maitred --format json restore copy"),
        (
            "ledger accept-restore",
            "maitred --format json ledger accept-restore --reason checked",
        ),
    ];
    shell.run_page("daemon", start).unwrap();
    for ((name, command), (known, view)) in tried.iter().zip(DAEMON_COMMANDS) {
        assert_eq!(*name, known);
        if *name == "ledger import" {
            shell.run_page("stopped", stop).unwrap();
        }
        if *name == "restore" {
            let moved = "```console\n$ mv ledger imported\n```\n";
            shell.run_page("moved", moved).unwrap();
        }
        let printed = shell.output_of(command);
        let value: Value = serde_json::from_str(&printed).unwrap();
        let root = &document["$defs"][view];
        schema::check(&document, root, &value, "").unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

/// Every fact that the rehearsal writes is described with all its fields.
#[test]
fn the_page_about_the_log_format_lists_every_fact() {
    let page = fs::read_to_string(path("docs/formats/log.md")).unwrap();
    let mut shell = PageShell::start();
    shell.run_page("README.md", &rehearsal()).unwrap();
    let lines = shell.output_of("maitred ledger export");
    let mut kinds = 0;
    for line in lines.lines() {
        let commit: Value = serde_json::from_str(line).unwrap();
        for fact in commit["facts"].as_array().unwrap() {
            let (kind, fields) = fact.as_object().unwrap().iter().next().unwrap();
            let named = format!("`{kind}`");
            let rows = page.lines().filter(|line| line.starts_with('|'));
            let rows: Vec<&str> = rows.filter(|line| line.contains(&named)).collect();
            assert!(!rows.is_empty(), "{kind} has no row");
            let fields = fields.as_object().unwrap().keys();
            for field in fields.filter(|_| kind != "decided") {
                let names = [format!("`{field}`"), format!("\"{field}\"")];
                let described = rows
                    .iter()
                    .any(|row| names.iter().any(|name| row.contains(name)));
                assert!(described, "{kind}: {field} is not described");
            }
            kinds += 1;
        }
    }
    assert!(kinds > 50, "{kinds} facts");
    for field in decided_fields(&lines) {
        assert!(
            page.contains(&format!("`{field}`")),
            "decided: {field} is not described"
        );
    }
}

fn decided_fields(lines: &str) -> Vec<String> {
    let commits = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let facts = commits.flat_map(|commit| commit["facts"].as_array().unwrap().clone());
    let decided = facts.filter_map(|fact| fact["decided"].as_object().cloned());
    decided
        .flat_map(|decided| decided.into_iter().map(|(name, _)| name))
        .collect()
}

//! Runs every command of README.md, CONTRIBUTING.md and the pages under `docs/`, and compares what
//! the commands print with what the pages show. Each page of `docs/` begins where the README ends:
//! with the sandbox, the configuration and the ledger of the README's rehearsal.

mod api;
mod formats;
pub mod output;
pub mod page;
mod runner;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, thread};

use clap::CommandFactory;
use maitred::cli::args::Args;
use maitred::domain::dialect::API_KEY_PAGE;
use maitred::sandbox::scenario::file::FILE_MAX;
use output::{LEFT_OUT, compare};
use page::{Page, blocks, pages};
use runner::{PageShell, check_syntax};

const README: &str = include_str!("../../README.md");

/// Languages of blocks that hold no commands.
const LANGUAGES_WITHOUT_COMMANDS: [&str; 9] = [
    "toml", "csv", "json", "text", "mermaid", "rust", "jinja", "ini", "yaml",
];

/// Commands of the README that change nothing; other pages need not repeat them.
const READING_COMMANDS: [&str; 6] = [
    "cargo ",
    "maitred check",
    "maitred plan",
    "maitred account show",
    "maitred explain",
    "maitred sandbox",
];

/// Returns the files and the commands of the README that other pages begin with, without their
/// output.
fn rehearsal() -> String {
    let mut text = String::new();
    for block in blocks(README) {
        if let Some(file) = &block.file {
            text += &format!("```{} {file}\n{}```\n", block.language, block.text);
        } else if block.language == "console" && block.not_run.is_none() {
            let commands = block.commands();
            let changing = commands.iter().filter(|shown| {
                !READING_COMMANDS
                    .iter()
                    .any(|reads| shown.command.starts_with(reads))
            });
            let lines = changing.map(|shown| format!("$ {}\n", shown.command));
            text += &format!("```console\n{}```\n", lines.collect::<String>());
        }
    }
    text
}

fn has_commands(page: &Page) -> bool {
    blocks(&page.text)
        .iter()
        .any(|block| block.language == "console" && block.not_run.is_none())
}

#[test]
fn every_command_of_the_readme_prints_what_is_shown() {
    let ran = PageShell::start().run_page("README.md", README);
    let ran = ran.unwrap_or_else(|why| panic!("{why}"));
    assert!(ran >= 12, "{ran} commands were run");
}

/// Each page has a thread, because the commands mostly wait.
#[test]
fn every_command_of_the_docs_prints_what_is_shown() {
    let rehearsal = rehearsal();
    let pages = pages();
    let others = pages
        .iter()
        .filter(|page| page.path != "README.md" && has_commands(page));
    let run = |page: &Page| {
        let mut shell = PageShell::start();
        shell.run_page("README.md", &rehearsal)?;
        shell.run_page(&page.path, &page.text)
    };
    let results: Vec<Result<usize, String>> = thread::scope(|scope| {
        let threads: Vec<_> = others.map(|page| scope.spawn(|| run(page))).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let failures: Vec<&String> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let ran: usize = results.iter().flatten().sum();
    assert!(ran >= 60, "{ran} commands were run");
}

#[test]
fn commands_that_are_not_run_have_a_reason_and_are_well_formed() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&page.text) {
            let place = format!("{}:{}", page.path, block.line);
            let known = LANGUAGES_WITHOUT_COMMANDS.contains(&block.language.as_str());
            if block.language == "console" {
                if let Err(why) = check_syntax(&block) {
                    wrong.push(format!("{place}: {why}"));
                }
            } else if !known {
                let language = &block.language;
                wrong.push(format!(
                    "{place}: write `console`, or one of {LANGUAGES_WITHOUT_COMMANDS:?}, and not {language:?}"
                ));
            }
            if block
                .not_run
                .as_deref()
                .is_some_and(|why| why.trim().is_empty())
            {
                wrong.push(format!("{place}: the mark gives no reason"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A block that is neither run nor written to a file can still be wrong.
#[test]
fn toml_and_json_of_the_pages_can_be_read() {
    for page in pages() {
        for block in blocks(&page.text) {
            let result = match block.language.as_str() {
                "toml" => toml::from_str::<toml::Table>(&block.text)
                    .map_err(|e| e.to_string())
                    .map(|_| ()),
                "json" => serde_json::from_str::<serde_json::Value>(&block.text)
                    .map_err(|e| e.to_string())
                    .map(|_| ()),
                _ => Ok(()),
            };
            if let Err(why) = result {
                panic!("{}:{}: {why}", page.path, block.line);
            }
        }
    }
}

/// Checks that links to files of the repository lead to a file and a heading.
#[test]
fn every_link_of_the_pages_leads_to_a_file_and_a_heading() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for page in pages() {
        let folder = root.join(&page.path).parent().unwrap().to_path_buf();
        for link in links(&page.text) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                root.join(&page.path)
            } else {
                folder.join(file)
            };
            let there = match (target.is_file(), heading) {
                (false, "") => target.is_dir(),
                (false, _) => false,
                (true, "") => true,
                (true, heading) => {
                    anchors(&std::fs::read_to_string(&target).unwrap()).contains(heading)
                }
            };
            if !there {
                wrong.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "links that lead nowhere:\n{}",
        wrong.join("\n")
    );
}

/// Checks that paths which a page shows as code exist.
#[test]
fn every_path_that_a_page_names_is_there() {
    const FOLDERS: [&str; 8] = [
        "src/",
        "tests/",
        "docs/",
        "fuzz/",
        "benches/",
        "systemd/",
        "packaging/",
        ".ci/",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for page in pages() {
        let names = page.text.split('`').skip(1).step_by(2);
        for name in names.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder))) {
            let path = name.split([' ', '*', '{']).next().unwrap();
            if !root.join(path).exists() {
                wrong.push(format!("{}: {name}", page.path));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "paths that are not there:\n{}",
        wrong.join("\n")
    );
}

/// Checks that each test exists which a page tells readers to run.
#[test]
fn every_test_that_a_page_runs_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for page in pages() {
        let commands =
            blocks(&page.text)
                .into_iter()
                .flat_map(|block| match block.language.as_str() {
                    "console" => block.commands(),
                    _ => Vec::new(),
                });
        for shown in commands {
            let mut words = shown
                .command
                .split_whitespace()
                .skip_while(|word| *word != "--test");
            if let (Some(_), Some(program)) = (words.next(), words.next()) {
                let folder = root.join(program);
                let mut file = folder.join("main.rs");
                if let Some((module, _)) = words.next().and_then(|name| name.split_once("::")) {
                    file = folder.join(format!("{module}.rs"));
                }
                assert!(file.is_file(), "{}: {}", page.path, shown.command);
            }
        }
    }
}

fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("](") {
        let rest = &text[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(&rest[..end]);
        }
    }
    found
}

/// Returns the anchors of a page's headings, as GitHub forms them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchor = |heading: &str| {
        let cleaned = heading.to_lowercase();
        let cleaned = cleaned
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        cleaned.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_readme_is_short() {
    let lines = README.lines().count();
    assert!(lines <= 250, "{lines} lines: move something into docs/");
}

#[test]
fn shown_lines_are_compared_in_order_and_without_gaps() {
    let printed = "one 1\ntwo 2\n\nthree\nfour\n";
    let lines = |text: &[&str]| {
        text.iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    for good in [
        &["one 7", "two 9"][..],
        &["two 2", "three", "four"],
        &["one 1", LEFT_OUT, "four"],
        &[],
    ] {
        assert_eq!(compare(printed, &lines(good)), Ok(()), "{good:?}");
    }
    for bad in [&["one 1", "three"][..], &["two 2", "one 1"], &["five"]] {
        assert!(compare(printed, &lines(bad)).is_err(), "{bad:?}");
    }
}

/// Numbers and hashes differ from run to run, but the hash of a policy does not.
#[test]
fn hashes_of_policies_are_compared_and_other_hashes_are_not() {
    let (one, other) = ("56077fb0d24a7754", "16f8f6627e3e5955");
    let lines = |hash: &str| [format!("policy {hash}"), format!("(policy {hash})")];
    for at in 0..2 {
        let printed = &lines(one)[at];
        assert_eq!(compare(printed, &[lines(one)[at].clone()]), Ok(()));
        assert!(compare(printed, &[lines(other)[at].clone()]).is_err());
    }
    let head = |hash: &str| format!("the head is {hash}.");
    assert_eq!(compare(&head(one), &[head(other)]), Ok(()));
}

#[test]
fn the_pages_and_the_sources_name_one_page_for_api_keys() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<(String, String)> = { pages().into_iter() }
        .map(|page| (page.path, page.text))
        .collect();
    for file in [
        "src/config/secret.rs",
        "src/daemon/doctor/calendar.rs",
        "src/reconcile/context.rs",
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains("{API_KEY_PAGE}"), "{file}");
        texts.push((file.to_owned(), text));
    }
    let mut named = 0;
    for (path, text) in texts {
        let text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
        for (at, _) in text.match_indices("Settings") {
            let end = text[at..]
                .find("API keys")
                .map(|end| at + end + "API keys".len());
            let Some(place) = end
                .map(|end| &text[at..end])
                .filter(|place| place.len() < 60)
            else {
                continue;
            };
            named += 1;
            assert_eq!(place, API_KEY_PAGE, "{path}");
        }
    }
    assert!(named >= 2, "{named} places name the page");
}

#[test]
fn the_page_of_scenarios_names_the_size_that_is_read() {
    let pages = pages();
    let page = { pages.iter() }.find(|page| page.path == "docs/formats/scenario.md");
    let size = format!("at most {} MiB.", FILE_MAX >> 20);
    assert!(page.is_some_and(|page| page.text.contains(&size)), "{size}");
}

#[test]
fn marks_and_files_of_blocks_are_read() {
    let text = "<!-- not run: needs systemd -->\n```console\n$ a \\\n  b\n```\n\n<!-- exit: 3 -->\n\
                ```console\n$ c\nout\n$ d\n```\n```toml x.toml\nk = 1\n```\n";
    let found = blocks(text);
    assert_eq!(found[0].not_run.as_deref(), Some("needs systemd"));
    assert_eq!(found[0].commands()[0].command, "a \\\n  b");
    let exits: Vec<i32> = found[1].commands().iter().map(|shown| shown.exit).collect();
    assert_eq!((exits, found[1].line), (vec![0, 3], 8));
    assert_eq!(found[2].file.as_deref(), Some("x.toml"));
}

#[test]
fn the_docs_name_every_reason_every_exit_code_and_every_command() {
    let page = |name: &str| {
        let found = pages().into_iter().find(|page| page.path == name);
        found.unwrap_or_else(|| panic!("{name} is missing")).text
    };
    let troubleshooting = page("docs/troubleshooting.md");
    for code in maitred::domain::decision::REASON_CODES {
        let named = format!("`{code}`");
        assert!(troubleshooting.contains(&named), "{code} is not explained");
    }
    for (code, _) in maitred::control::exit::MEANINGS {
        assert!(
            troubleshooting.contains(&format!("| {code} |")),
            "exit code {code}"
        );
    }
    let commands = page("docs/commands.md");
    for name in command_names(&Args::command()) {
        let short = name.rsplit(' ').next().unwrap();
        let named = [
            format!("`{name}"),
            format!("`{short}`"),
            format!("`{short} "),
        ];
        assert!(
            named.iter().any(|name| commands.contains(name)),
            "{name} is not described"
        );
    }
}

/// Returns the full names of all commands that have no subcommands.
fn command_names(command: &clap::Command) -> Vec<String> {
    let mut names = Vec::new();
    for sub in command.get_subcommands() {
        let name = sub.get_name();
        if !sub.has_subcommands() || sub.get_name() == "unresolved" {
            names.push(name.to_owned());
        }
        let deeper = command_names(sub);
        names.extend(deeper.iter().map(|deeper| format!("{name} {deeper}")));
    }
    names
}

#[test]
fn a_fresh_machine_needs_two_commands_and_ci_runs_the_same_tests() {
    let commands: Vec<String> = blocks(README)
        .iter()
        .filter(|block| block.language == "console")
        .flat_map(|block| block.commands())
        .map(|shown| shown.command)
        .filter(|command| command.starts_with("cargo "))
        .collect();
    assert_eq!(commands, ["cargo run -- demo", "cargo test"]);
    assert!(
        include_str!("../../.ci/run").contains("step tests cargo test --locked --features sql\n")
    );
}

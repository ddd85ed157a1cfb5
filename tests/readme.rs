//! Every command of the README is run, in its order, in an empty folder, against a sandbox; and what the
//! README shows is what they print. Times, numbers of processes and addresses of this run count as equal.

#![allow(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

use maitred::daemon::clock;
use maitred::sandbox::scenario::book_club::book_club;
use maitred::sandbox::server::Sandbox;

const README: &str = include_str!("../README.md");

/// What stands for lines that are left out of an output.
const LEFT_OUT: &str = "[…]";

/// A fenced block: its language and its text.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&'static str, String)> = None;
    for line in README.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A command and the lines that the README shows under it.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn commands() -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    for (_, text) in blocks()
        .iter()
        .filter(|(language, _)| *language == "console")
    {
        for line in text.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => found.push(Shown {
                    command: command.to_owned(),
                    lines: Vec::new(),
                }),
                None => found.last_mut().unwrap().lines.push(line.to_owned()),
            }
        }
    }
    found
}

/// The text with every number and hash made alike, and blanks at line ends gone.
fn alike(text: &str) -> Vec<String> {
    let even = |line: &str| {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_matches(|c: char| c.is_ascii_punctuation());
            let hash = bare.len() >= 16 && bare.chars().all(|c| c.is_ascii_hexdigit());
            if hash {
                return "#".to_owned();
            }
            word.chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect()
        });
        words
            .collect::<Vec<String>>()
            .join(" ")
            .trim_end()
            .to_owned()
    };
    text.lines().map(even).filter(|l| !l.is_empty()).collect()
}

/// Whether the shown lines are printed in this order, next to each other but where lines are left out.
fn shows(printed: &str, shown: &[String]) -> Result<(), String> {
    let printed = alike(printed);
    let mut at = 0;
    let mut skipping = true;
    for line in shown {
        if line.trim() == LEFT_OUT {
            skipping = true;
            continue;
        }
        let Some(line) = alike(line).pop() else {
            continue;
        };
        let found = if skipping {
            printed[at..].iter().position(|other| *other == line)
        } else {
            (printed.get(at) == Some(&line)).then_some(0)
        };
        match found {
            Some(ahead) => at += ahead + 1,
            None => return Err(format!("{line:?} is not printed where it is shown")),
        }
        skipping = false;
    }
    Ok(())
}

#[test]
fn every_command_runs_and_prints_what_is_shown() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = book_club(clock::now());
    let listen = "127.0.0.1:0".parse().unwrap();
    let sandbox = runtime
        .block_on(Sandbox::start(house.world, clock::system(), listen))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = |text: &str| text.replace("127.0.0.1:5555", &sandbox.addr().to_string());
    let file = |language: &str, name: &str| {
        let blocks = blocks();
        let (_, text) = blocks.iter().find(|(of, _)| *of == language).unwrap();
        fs::write(folder.path().join(name), here(text)).unwrap();
    };
    file("toml", "config.toml");
    file("csv", "members.csv");
    for (language, text) in blocks() {
        if let Some(name) = language.strip_prefix("toml ") {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, here(&text)).unwrap();
        }
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_maitred"));
    let mut environment: Vec<(String, String)> = Vec::new();
    let mut ran = 0;
    for Shown { command, lines } in commands() {
        if command == "cargo test" {
            // This is it.
            continue;
        }
        if let Some(set) = command.strip_prefix("export ") {
            let pairs = set.split(' ').filter_map(|pair| pair.split_once('='));
            environment.extend(pairs.map(|(a, b)| (a.to_owned(), b.to_owned())));
            continue;
        }
        let words = command
            .strip_prefix("cargo run --release -- ")
            .or_else(|| command.strip_prefix("maitred "))
            .unwrap_or_else(|| panic!("{command} is none of ours"));
        if words.starts_with("sandbox ") {
            assert!(words.ends_with('&'), "it would never end: {command}");
            continue;
        }
        let output = Command::new(binary)
            .args(words.split(' '))
            .current_dir(folder.path())
            .env_clear()
            .env("COLUMNS", "100")
            .envs(environment.iter().cloned())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{command}: {errors}");
        if let Err(why) = shows(&printed, &lines) {
            panic!("{command}: {why}\n--- printed:\n{printed}");
        }
        ran += 1;
    }
    assert!(ran >= 12, "{ran} commands were run");
}

#[test]
fn what_is_shown_is_looked_for_in_order_and_without_gaps() {
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
        assert_eq!(shows(printed, &lines(good)), Ok(()), "{good:?}");
    }
    for bad in [&["one 1", "three"][..], &["two 2", "one 1"], &["five"]] {
        assert!(shows(printed, &lines(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn the_readme_names_every_reason_and_every_exit_code() {
    for code in maitred::domain::decision::CODES {
        let named = format!("`{code}`");
        assert!(README.contains(&named), "{code} is not explained");
    }
    for (code, _) in maitred::control::exit::MEANINGS {
        assert!(README.contains(&format!("| {code} |")), "exit code {code}");
    }
}

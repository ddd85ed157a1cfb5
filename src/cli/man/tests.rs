//! The pages have what the tables of the program say.

use std::collections::BTreeSet;

use super::*;
use crate::daemon::signals;

/// Returns a text as it stands in a page.
fn escape(text: &str) -> String {
    text.replace('-', "\\-")
}

/// Returns the section of a page, up to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = format!("\n.SH {heading}\n");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("{heading}\n{page}"));
    rest.split_once("\n.SH ")
        .map_or(rest, |(section, _)| section)
}

fn pages() -> Vec<(String, String)> {
    let text = |(name, page): (String, Vec<u8>)| (name, String::from_utf8(page).unwrap());
    command_pages().into_iter().map(text).collect()
}

fn page(name: &str) -> String {
    pages()
        .into_iter()
        .find(|(page, _)| page == name)
        .unwrap()
        .1
}

/// Returns the names in the first column of the table with this header in a document.
fn names_of_table(document: &str, header: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once(header).unwrap();
    let rows = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split(", ").map(|name| name.trim().replace('`', "")));
    names.collect()
}

#[test]
fn there_is_a_page_for_the_whole_and_one_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("pages");
    man(&directory).unwrap();
    for name in [
        "maitred.1",
        "maitred-run.1",
        "maitred-credits-import.1",
        "maitred-config.5",
    ] {
        let page = fs::read_to_string(directory.join(name)).unwrap();
        assert!(page.contains(".TH"), "{name}");
    }
    for (name, page) in pages() {
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "ENVIRONMENT",
            "EXIT STATUS",
            "SEE ALSO",
        ] {
            let heading = heading.replace("EXIT STATUS", "\"EXIT STATUS\"");
            let heading = heading.replace("SEE ALSO", "\"SEE ALSO\"");
            assert!(!section(&page, &heading).is_empty(), "{name}: {heading}");
        }
    }
}

#[test]
fn every_page_has_every_exit_code() {
    for (name, page) in pages() {
        let codes = section(&page, "\"EXIT STATUS\"");
        for (code, meaning) in exit::MEANINGS {
            let entry = format!(".TP\n\\fB{code}\\fR\n{}\n", escape(meaning));
            assert!(
                format!("{codes}\n").contains(&entry),
                "{name}: {code}\n{codes}"
            );
        }
    }
}

#[test]
fn every_variable_of_an_option_is_on_the_page_of_its_command() {
    fn check(command: &Command, is_top: bool, count: &mut usize) {
        let name = command_page::page_name(command);
        let page = page(&name);
        let environment = section(&page, "ENVIRONMENT");
        for option in command.get_arguments() {
            let Some(variable) = option.get_env().and_then(|name| name.to_str()) else {
                continue;
            };
            if is_top || !option.is_global_set() {
                assert!(
                    environment.contains(&format!("\\fB{variable}\\fR")),
                    "{variable}"
                );
                *count += 1;
            }
        }
        for subcommand in command.get_subcommands() {
            check(subcommand, false, count);
        }
    }
    let mut top = command_line::command();
    top.build();
    let mut count = 0;
    check(&top, true, &mut count);
    assert!(count > 50, "{count}");
}

#[test]
fn the_page_has_what_the_documents_say_of_files_and_variables() {
    let page = page("maitred");
    let files = names_of_table("docs/operations.md", "| Name | Content |\n");
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        assert!(section(&page, "FILES").contains(&escape(&file)), "{file}");
    }
    let variables = names_of_table("docs/configuration.md", "| Variable | Use |\n");
    assert!(variables.len() >= 15, "{variables:?}");
    for variable in variables
        .iter()
        .filter(|name| !name.contains("such as") && *name != "MAITRED_COMMAND_OPTION")
    {
        assert!(
            section(&page, "ENVIRONMENT").contains(variable.as_str()),
            "{variable}"
        );
    }
}

#[test]
fn the_page_of_the_daemon_has_its_signals() {
    for name in ["maitred", "maitred-run"] {
        let page = page(name);
        for (_, signal, _) in signals::HANDLED {
            assert!(
                section(&page, "SIGNALS").contains(signal),
                "{name}: {signal}"
            );
        }
    }
}

#[test]
fn every_page_of_maitred_that_is_named_exists() {
    let pages = pages();
    let mut names: BTreeSet<String> = pages.iter().map(|(name, _)| format!("{name}(1)")).collect();
    names.insert("maitred-config(5)".to_owned());
    let texts = pages.into_iter().map(|(_, page)| page);
    for text in texts.chain([config_page::man_page().to_roff()]) {
        let see_also = section(&text, "\"SEE ALSO\"").replace("\\-", "-");
        for page in see_also.lines().next().unwrap().split(", ") {
            let is_ours = page.starts_with("maitred");
            assert!(!is_ours || names.contains(page), "{page}");
        }
    }
}

#[test]
fn the_page_of_the_configuration_goes_beside_the_directory_of_commands() {
    let folder = tempfile::tempdir().unwrap();
    let manual = folder.path().join("share/man");
    man(&manual.join("man1")).unwrap();
    assert!(manual.join("man1/maitred.1").is_file());
    assert!(manual.join("man5/maitred-config.5").is_file());
    assert!(!manual.join("man1/maitred-config.5").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refusal = man(&file).unwrap_err();
    assert_eq!(refusal.exit, exit::FAILED);
    assert!(refusal.text.contains(&file.display().to_string()));
}

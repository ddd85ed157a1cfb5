//! Writes the page of one command: what clap knows about the command, and what else a manual page
//! has.

use std::io::Write as _;

use clap::{Arg, Command};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use super::process;
use crate::config::documentation::man_page::{inline, write_paragraphs};
use crate::control::exit;

/// An empty date. The quotes keep the next argument of the macro from taking its place.
const NO_DATE: &str = "\"\"";

/// What begins the examples in a text of help.
const EXAMPLE_HEADINGS: [&str; 2] = ["Example:", "Examples:"];

/// Pages to read after that of a command, apart from those above and below it.
const RELATED_PAGES: [(&str, &[&str]); 8] = [
    (
        "maitred-run",
        &[
            "maitred-status(1)",
            "maitred-reload(1)",
            "systemd.service(5)",
            "systemd.timer(5)",
            "journalctl(1)",
        ],
    ),
    ("maitred-plan", &["maitred-pass(1)", "maitred-evaluate(1)"]),
    ("maitred-explain", &["maitred-decisions(1)"]),
    ("maitred-decisions", &["maitred-explain(1)"]),
    ("maitred-backup", &["maitred-restore(1)"]),
    (
        "maitred-restore",
        &["maitred-backup(1)", "maitred-ledger-accept-restore(1)"],
    ),
    ("maitred-pause", &["maitred-resume(1)"]),
    ("maitred-resume", &["maitred-pause(1)"]),
];

/// Returns the name of the command's page: `maitred-credits-grant`.
pub(super) fn page_name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or(command.get_name()).to_owned()
}

/// Returns the page. `parents` are the names of the pages of the commands above.
pub(super) fn command_page(command: &Command, parents: &[String]) -> Vec<u8> {
    let is_top = parents.is_empty();
    let mut page = Vec::new();
    write_clap_sections(command, is_top, &mut page).expect("memory accepts every text");
    let mut roff = Roff::new();
    if !is_top {
        write_examples(command, &mut roff);
    }
    write_environment(command, is_top, &mut roff);
    if is_top || process::is_daemon(command) {
        write_terms(&mut roff, "FILES", &process::files());
        write_terms(&mut roff, "SIGNALS", &process::signals());
    }
    write_exit_codes(&mut roff);
    write_see_also(command, parents, &mut roff);
    roff.to_writer(&mut page)
        .expect("memory accepts every text");
    page
}

fn write_clap_sections(command: &Command, is_top: bool, page: &mut Vec<u8>) -> std::io::Result<()> {
    let man = Man::new(command.clone())
        .date(NO_DATE)
        .source(concat!("maitred ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    // After the help of the whole program stand the exit codes, which have a section of their own.
    if !is_top {
        let mut notes = Roff::new();
        write_notes(command, &mut notes);
        page.write_all(notes.to_roff().as_bytes())?;
    }
    man.render_options_section(page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(page)?;
    }
    Ok(())
}

/// Splits the text after the help into what stands before the examples, and the examples.
fn split_help(command: &Command) -> (String, String) {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let is_heading = |line: &&str| EXAMPLE_HEADINGS.contains(line);
    let at = lines.iter().position(is_heading);
    let at = at.unwrap_or(lines.len());
    let (notes, examples) = lines.split_at(at);
    let examples = examples.get(1..).unwrap_or_default();
    (notes.join("\n"), examples.join("\n"))
}

/// Writes what stands before the examples as paragraphs of the description.
fn write_notes(command: &Command, roff: &mut Roff) {
    let (notes, _) = split_help(command);
    for paragraph in notes.lines().filter(|line| !line.is_empty()) {
        roff.control("PP", []);
        roff.text(inline(paragraph));
    }
}

fn write_examples(command: &Command, roff: &mut Roff) {
    let (_, examples) = split_help(command);
    if examples.is_empty() {
        return;
    }
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in examples.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn write_environment(command: &Command, is_top: bool, roff: &mut Roff) {
    let mut terms: Vec<(String, String)> = command
        .get_arguments()
        .filter(|option| is_top || !option.is_global_set())
        .filter_map(variable_of)
        .collect();
    let rest = match is_top {
        true => {
            terms.extend(process::variables());
            "Every option of a command has a variable too: `MAITRED_`, the words of the command, and \
             the name of the option. `MAITRED_RUN_ONCE` is `maitred run --once`. The page of the \
             command lists them."
        }
        false => {
            "maitred(1) lists the variables of the options of every command, and of the process."
        }
    };
    write_terms(roff, "ENVIRONMENT", &terms);
    roff.control("PP", []);
    roff.text(inline(rest));
}

/// Returns the variable of an option, with what it sets.
fn variable_of(option: &Arg) -> Option<(String, String)> {
    let name = option.get_env()?.to_str()?.to_owned();
    let help = option.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    Some((
        name,
        format!("The option `--{}`: {help}", option.get_long()?),
    ))
}

fn write_exit_codes(roff: &mut Roff) {
    let terms = exit::MEANINGS.map(|(code, meaning)| (code.to_string(), meaning.to_owned()));
    write_terms(roff, "EXIT STATUS", &terms);
}

/// Writes a section of names, each with what it is.
fn write_terms(roff: &mut Roff, heading: &str, terms: &[(String, String)]) {
    roff.control("SH", [heading]);
    for (name, text) in terms {
        roff.control("TP", []);
        roff.text([bold(name)]);
        write_paragraphs(roff, text, "IP");
    }
}

fn write_see_also(command: &Command, parents: &[String], roff: &mut Roff) {
    let name = page_name(command);
    let below = command.get_subcommands().filter(|c| !c.is_hide_set());
    let commands = parents.iter().cloned().chain(below.map(page_name));
    let mut pages: Vec<String> = commands.map(|page| format!("{page}(1)")).collect();
    let related = RELATED_PAGES.iter().filter(|(of, _)| *of == name);
    pages.extend(related.flat_map(|(_, pages)| pages.iter().map(|&page| page.to_owned())));
    pages.push("maitred-config(5)".to_owned());
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(pages.join(", "))]);
}

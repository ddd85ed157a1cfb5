//! `maitred policy test`: example bookings with expected decisions, judged by the real plan. All
//! that is wrong with the files is said at once, before anything is judged.

use std::path::{Path, PathBuf};

use super::args::Test;
use crate::cli::args::{DEFAULT_CONFIG, Format};
use crate::cli::dispatch::{Context, print};
use crate::cli::file;
use crate::cli::render::policy;
use crate::config::case::model::{Case, Subject};
use crate::config::case::parse::parse;
use crate::config::finding::{Finding, Findings, Place, Severity};
use crate::config::load::load;
use crate::control::exit;
use crate::control::policy::{CaseView, PolicyTestView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::daemon::failure::Failure;
use crate::daemon::policy::trial::{booking_of, trial};
use crate::daemon::policy::world::unbounded;
use crate::domain::gate::Policy;

/// The configuration of a directory of cases.
const CONFIG: &str = "config.toml";

/// The largest file of cases.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// Files of one directory.
const MAX_FILES: usize = 1_000;

/// Judges every case, and says which came out otherwise than expected.
///
/// # Errors
/// When the configuration or a file of cases cannot be used, or there is no case.
pub fn test(context: &Context, args: &Test) -> Result<u8, Refusal> {
    let files = files(&args.path)?;
    let config = config_of(context, &args.path);
    let policy = load(&config).map_err(Failure::from)?.config.policy;
    let tried = unbounded(&policy);
    let mut wrong = Vec::new();
    let mut results = Vec::new();
    for path in &files {
        match cases(path)? {
            Ok(cases) => {
                for case in &cases {
                    match one(case, path, &tried) {
                        Ok(view) => results.push(view),
                        Err(finding) => wrong.push(*finding),
                    }
                }
            }
            Err(findings) => wrong.extend(findings.0),
        }
    }
    if !wrong.is_empty() {
        return Err(Refusal::usage(format!(
            "the cases cannot be used\n{}",
            Findings(wrong)
        )));
    }
    let failed = results.iter().filter(|case| !case.passed).count();
    let view = PolicyTestView {
        schema: SCHEMA,
        policy: policy.hash,
        cases: results.len(),
        failed,
        results,
    };
    let text = match context.global.format {
        Format::Plain => policy::tested(&view, args.verbose, &context.page()),
        Format::Json => policy::json(&view),
    };
    print(text.as_bytes())?;
    Ok(if failed == 0 {
        exit::DONE
    } else {
        exit::FAILED
    })
}

/// The one that `--config` names, else the directory's own.
fn config_of(context: &Context, path: &Path) -> PathBuf {
    let named = &context.global.config;
    let folder = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    let own = folder.map(|folder| folder.join(CONFIG));
    own.filter(|own| named == Path::new(DEFAULT_CONFIG) && own.is_file())
        .unwrap_or_else(|| named.clone())
}

/// The files of cases, sorted; the file itself when it is one.
fn files(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |error| Refusal::usage(format!("{} cannot be read: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml && path.file_name().is_some_and(|name| name != CONFIG) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Refusal::usage(format!(
            "{} holds no *.toml with cases",
            path.display()
        )));
    }
    if files.len() > MAX_FILES {
        let count = files.len();
        return Err(Refusal::usage(format!(
            "{count} files are more than {MAX_FILES}"
        )));
    }
    files.sort();
    Ok(files)
}

fn cases(path: &Path) -> Result<Result<Vec<Case>, Findings>, Refusal> {
    let bytes = file::read(path, MAX_FILE)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::usage(format!("{} is not UTF-8 text", path.display())))?;
    Ok(parse(&text, &path.display().to_string()))
}

fn one(case: &Case, source: &Path, policy: &Policy) -> Result<CaseView, Box<Finding>> {
    let finding = |key: &str, place: Option<&Place>, problem: String, help: &str| {
        Box::new(Finding {
            severity: Severity::Error,
            file: source.display().to_string(),
            key: key.to_owned(),
            place: place.cloned(),
            problem,
            help: help.to_owned(),
        })
    };
    let booking = match &case.subject {
        Subject::Described(_) => None,
        Subject::File(path, place) => {
            let key = format!("{}.file", case.key);
            let wrong = |why| {
                let help = "give a booking as the API lists it, or a webhook's payload";
                finding(&key, place.as_ref(), why, help)
            };
            let text = file::read(path, MAX_FILE).map_err(|refusal| wrong(refusal.text))?;
            Some(booking_of(&text).map_err(|why| wrong(format!("{} {why}", path.display())))?)
        }
    };
    let source = source.display().to_string();
    trial(case, booking, policy, &source).map_err(|why| {
        let help = "correct the case, or the configuration";
        finding(&case.key, case.place.as_ref(), why, help)
    })
}

//! `maitred policy test`: example bookings with expected decisions, judged by the real plan. If
//! anything is wrong with the files, all of that is reported together, and no result is printed.

use std::path::{Path, PathBuf};

use super::args::PolicyTestArgs;
use crate::cli::args::{DEFAULT_CONFIG_PATH, Format};
use crate::cli::context::{Context, print};
use crate::cli::file;
use crate::cli::render::policy;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Position, Severity};
use crate::config::load::load;
use crate::config::policy_test::model::{CaseSubject, PolicyCase};
use crate::config::policy_test::parse::parse;
use crate::control::exit;
use crate::control::policy::{CaseView, PolicyTestView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::daemon::failure::Failure;
use crate::daemon::policy::expectation::{read_booking_file, run_case};
use crate::daemon::policy::snapshot_fixture::without_pass_limits;
use crate::domain::gate::Policy;

/// The name of the configuration in a directory of cases.
const CONFIG_NAME: &str = "config.toml";

/// The largest file of cases.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// The most files of one directory.
const MAX_FILES: usize = 1_000;

/// Judges every case, and reports which decisions differ from what is expected.
///
/// # Errors
/// Returns a refusal if the configuration or a file of cases cannot be used, or if there is no
/// case.
pub fn test(context: &Context, args: &PolicyTestArgs) -> Result<u8, Refusal> {
    let files = list_files(&args.path)?;
    let config = find_config(context, &args.path);
    let policy = load(&config).map_err(Failure::from)?.config.policy;
    let unbounded_policy = without_pass_limits(&policy);
    let mut diagnostics = Vec::new();
    let mut results = Vec::new();
    for path in &files {
        match read_cases(path)? {
            Ok(cases) => {
                for case in &cases {
                    match run_case_of_file(case, path, &unbounded_policy) {
                        Ok(view) => results.push(view),
                        Err(diagnostic) => diagnostics.push(*diagnostic),
                    }
                }
            }
            Err(file_diagnostics) => diagnostics.extend(file_diagnostics.0),
        }
    }
    if !diagnostics.is_empty() {
        return Err(Refusal::usage(format!(
            "the cases cannot be used\n{}",
            Diagnostics(diagnostics)
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
        Format::Plain | Format::Html | Format::Csv => {
            policy::render_test_results(&view, args.verbose, &context.page())
        }
        Format::Json => policy::render_json(&view),
    };
    print(text.as_bytes())?;
    Ok(if failed == 0 {
        exit::DONE
    } else {
        exit::FAILED
    })
}

/// Returns the configuration that `--config` names, or else the directory's own.
fn find_config(context: &Context, path: &Path) -> PathBuf {
    let chosen = &context.global.config;
    let folder = if path.is_dir() {
        Some(path)
    } else {
        path.parent()
    };
    let folder_config = folder.map(|folder| folder.join(CONFIG_NAME));
    folder_config
        .filter(|own| chosen == Path::new(DEFAULT_CONFIG_PATH) && own.is_file())
        .unwrap_or_else(|| chosen.clone())
}

/// Returns the files of cases, sorted, or the file itself if the path is one.
fn list_files(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let to_refusal = |error| Refusal::usage(format!("{} cannot be read: {error}", path.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(to_refusal)? {
        let path = entry.map_err(to_refusal)?.path();
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml && path.file_name().is_some_and(|name| name != CONFIG_NAME) {
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

fn read_cases(path: &Path) -> Result<Result<Vec<PolicyCase>, Diagnostics>, Refusal> {
    let bytes = file::read(path, MAX_FILE)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::usage(format!("{} is not UTF-8 text", path.display())))?;
    Ok(parse(&text, &path.display().to_string()))
}

fn run_case_of_file(
    case: &PolicyCase,
    source: &Path,
    policy: &Policy,
) -> Result<CaseView, Box<Diagnostic>> {
    let diagnostic = |key: &str, place: Option<&Position>, problem: String, help: &str| {
        Box::new(Diagnostic {
            severity: Severity::Error,
            file: source.display().to_string(),
            key: key.to_owned(),
            position: place.cloned(),
            problem,
            help: help.to_owned(),
        })
    };
    let booking = match &case.subject {
        CaseSubject::Described(_) => None,
        CaseSubject::File(path, position) => {
            let key = format!("{}.file", case.key);
            let file_diagnostic = |why| {
                let help = "give a booking as the API lists it, or a webhook's payload";
                diagnostic(&key, position.as_ref(), why, help)
            };
            let text =
                file::read(path, MAX_FILE).map_err(|refusal| file_diagnostic(refusal.text))?;
            Some(
                read_booking_file(&text)
                    .map_err(|why| file_diagnostic(format!("{} {why}", path.display())))?,
            )
        }
    };
    let source = source.display().to_string();
    run_case(case, booking, policy, &source).map_err(|why| {
        let help = "correct the case, or the configuration";
        diagnostic(&case.key, case.position.as_ref(), why, help)
    })
}

//! Reads the values of a source: its name, how it is asked, and where its fields are.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::ReadContext;
use super::lookup_source::{COMMAND_EXAMPLE, check_web_url};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::secret_detection;
use crate::domain::lookup::ADDRESS_PLACEHOLDER;
use crate::domain::member_data::parse_word;
use crate::domain::member_source::{RecordFields, SOURCE_ATTRIBUTE};

/// Where an operator should keep a secret that they wrote into a source.
pub(super) const SECRET_ADVICE: &str = "keep secrets out of this file: put a token into the file that \
    `credential-file` names, and the URL of a database into the one that `url-file` names";

/// The longest name: references and reasons contain it.
const MAX_NAME: usize = 40;

/// The longest query, body, or name of a field, in bytes.
const MAX_TEXT: usize = 10_000;

/// Most attributes, answers and headers.
const MAX_ENTRIES: usize = 50;

/// The keys of each kind of source; the first ones decide which kind it is.
const KINDS: [(&str, &[&str]); 4] = [
    ("command", &["command"]),
    (
        "url",
        &[
            "url",
            "url-all",
            "body",
            "body-all",
            "member-at",
            "members-at",
            "headers",
            "credential-file",
        ],
    ),
    ("csv", &["csv"]),
    ("url-file", &["url-file", "query", "query-all"]),
];

/// The fields of a record.
const FIELDS: [&str; 6] = ["address", "tier", "tags", "aliases", "frozen", "balance"];

pub(super) fn read_name(
    item: &TomlValue<'_>,
    context: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("club", report)?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(is_plain) {
        let problem = format!("{} cannot name a source", report.show(text));
        let help = format!("give up to {MAX_NAME} letters, digits, `-` and `_`");
        report.error(&item.path, problem, help);
        return None;
    }
    let mut earlier = context.earlier_names.iter();
    if earlier.any(|(name, _)| name == text) {
        let problem = format!("there is another source {}", report.show(text));
        report.error(&item.path, problem, "give each source a name of its own");
    }
    Some(text.to_owned())
}

/// Reads the URL of the request about one booker. Whether the address is in it or in the body is
/// checked when both are known.
pub(super) fn read_url(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let example = "https://members.example.com/by-address/{address}";
    let text = item.text(example, report)?;
    let filled_in = "{address} and {answer.SLUG} are all that is filled in";
    check_url(item, (text, &fill_placeholders(text)), filled_in, report)
}

/// Reads the URL of the request for all members, which has no placeholders.
pub(super) fn read_list_url(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("https://members.example.com/all", report)?;
    let filled_in = "nothing is filled in here: the request is about all members";
    check_url(item, (text, text), filled_in, report)
}

fn check_url(
    item: &TomlValue<'_>,
    (text, filled): (&str, &str),
    filled_in: &'static str,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let host = text.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let flaw = if host.contains('{') {
        Some((
            "leaves it to bookers which server is asked".to_owned(),
            "put {address} behind the server's name",
        ))
    } else if let Some(flaw) = check_web_url(text, filled, SECRET_ADVICE) {
        Some(flaw)
    } else if filled.contains(['{', '}']) {
        Some((
            "has braces with something else between them".to_owned(),
            filled_in,
        ))
    } else {
        None
    };
    let Some((problem, help)) = flaw else {
        return Some(text.to_owned());
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}

/// Replaces every placeholder by an example.
fn fill_placeholders(text: &str) -> String {
    let mut filled = text.replace(ADDRESS_PLACEHOLDER, "ann%40example.com");
    while let Some(at) = filled.find("{answer.") {
        let Some(end) = filled[at..].find('}') else {
            break;
        };
        filled.replace_range(at..=at + end, "1");
    }
    filled
}

pub(super) fn read_body(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("{\"email\": \"{address}\"}", report)?;
    let is_json = serde_json::from_str::<Value>(&fill_placeholders(text)).is_ok();
    let (problem, help) = if text.len() > MAX_TEXT {
        ("this body is too long", "give a shorter one")
    } else if secret_detection::text_has_secret(text) {
        ("this seems to hold a secret", SECRET_ADVICE)
    } else if !is_json {
        (
            "this is not JSON",
            "write it in single quotes, as in '{\"email\": \"{address}\"}', with placeholders within \
             double quotes",
        )
    } else {
        return Some(text.to_owned());
    };
    report.error(&item.path, problem.to_owned(), help);
    None
}

pub(super) fn read_pointer(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("/data/members", report)?;
    if text.starts_with('/') && text.len() <= MAX_TEXT {
        return Some(text.to_owned());
    }
    let problem = format!("{} is not a JSON pointer", report.show(text));
    report.error(
        &item.path,
        problem,
        "begin it with /, as in \"/data/members\"",
    );
    None
}

pub(super) fn read_query(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
    let text = item.text("SELECT email AS address FROM members", report)?;
    if text.trim().is_empty() || text.len() > MAX_TEXT {
        let problem = "this query is empty or too long".to_owned();
        report.error(&item.path, problem, "give a query that reads members");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn read_headers(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<(String, String)>> {
    item.table("{ X-Club = \"north\" }", report)?;
    let mut headers = Vec::new();
    for (name, value) in limit_entries(item, report) {
        let Some(text) = value.text("north", report) else {
            continue;
        };
        let (problem, help) =
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(text).is_err() {
                (
                    "this header cannot be sent",
                    "give a name and a value without line breaks",
                )
            } else if name.eq_ignore_ascii_case("authorization")
                || secret_detection::is_secret_name(name)
                || secret_detection::value_looks_secret(text)
            {
                ("this header seems to hold a secret", SECRET_ADVICE)
            } else {
                headers.push((name.to_owned(), text.to_owned()));
                continue;
            };
        report.error(&value.path, problem.to_owned(), help);
    }
    headers.sort();
    Some(headers)
}

pub(super) fn read_fields(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<RecordFields> {
    item.table("{ address = \"email\" }", report)?;
    let mut fields = RecordFields::default();
    for (name, value) in limit_entries(item, report) {
        let place = read_place(&value, report);
        let slot = match name {
            "address" => &mut fields.address,
            "tier" => &mut fields.tier,
            "tags" => &mut fields.tags,
            "aliases" => &mut fields.aliases,
            "frozen" => &mut fields.frozen,
            "balance" => &mut fields.balance,
            _ => {
                let problem = format!("{} is no field of a member", report.show(name));
                let help = format!(
                    "the fields are {}; anything else belongs into `attributes`",
                    FIELDS.join(", ")
                );
                report.error(&value.path, problem, help);
                continue;
            }
        };
        if let Some(place) = place {
            *slot = place;
        }
    }
    Some(fields)
}

pub(super) fn read_attributes(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<BTreeMap<String, String>> {
    item.table("{ level = \"Playing level\" }", report)?;
    let mut attributes = BTreeMap::new();
    for (name, value) in limit_entries(item, report) {
        let place = read_place(&value, report);
        if name == SOURCE_ATTRIBUTE {
            let problem = "the attribute `source` is maitred's own".to_owned();
            let help =
                "it names the source that manages the account: give the attribute another name";
            report.error(&value.path, problem, help);
        } else if let Err(problem) = parse_word("the attribute", name) {
            report.error(&value.path, problem, "give it a name without spaces");
        } else if let Some(place) = place {
            attributes.insert(name.to_owned(), place);
        }
    }
    Some(attributes)
}

/// Reads where a field is: its name, or a JSON pointer.
fn read_place(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("email", report)?;
    if text.is_empty() || text.len() > MAX_TEXT {
        let problem = "this names no field".to_owned();
        let help = "give the name of the field or the column, or a JSON pointer";
        report.error(&item.path, problem, help);
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn read_answers(
    item: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<String>> {
    let items = item.list("[\"member-number\"]", report);
    let mut slugs: Vec<String> = Vec::new();
    for item in item.limit_count(items, MAX_ENTRIES, report) {
        let Some(text) = item.text("member-number", report) else {
            continue;
        };
        let is_forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}');
        if text.is_empty() || text.contains(is_forbidden) {
            let problem = format!(
                "{} is no identifier of a booking question",
                report.show(text)
            );
            let help = "give the question's identifier at Cal.com, as in \"member-number\"";
            report.error(&item.path, problem, help);
        } else if !slugs.iter().any(|known| known == text) {
            slugs.push(text.to_owned());
        }
    }
    Some(slugs)
}

fn limit_entries<'t>(
    item: &TomlValue<'t>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<(&'t str, TomlValue<'t>)> {
    let mut entries = item.named_values(report);
    if entries.len() > MAX_ENTRIES {
        let problem = format!("this has more than {MAX_ENTRIES} entries");
        report.error(&item.path, problem, "take out what is not needed");
        entries.truncate(MAX_ENTRIES);
    }
    entries
}

/// Returns texts by name as JSON.
pub(super) fn map_to_json<'a>(
    entries: impl Iterator<Item = (impl AsRef<str> + 'a, &'a String)>,
) -> Value {
    let entries = entries.map(|(name, text)| (name.as_ref().to_owned(), text.as_str().into()));
    Value::Object(entries.collect())
}

/// Checks that there is exactly one kind, and only keys of that kind.
pub(super) fn check_kind(table: &TomlTable<'_>, report: &mut DiagnosticCollector<'_>) {
    let has = |key: &str| table.peek(key).is_some();
    let kind = if has("command") {
        "command"
    } else if has("url") || has("url-all") {
        "url"
    } else if has("csv") {
        "csv"
    } else if has("url-file") {
        "url-file"
    } else {
        let problem = "this source has no kind".to_owned();
        let help = format!(
            "add command = {COMMAND_EXAMPLE}, url = \"https://…/{ADDRESS_PLACEHOLDER}\", csv = \
             \"/…/members.csv\", or url-file with a query"
        );
        return report.error(table.path(), problem, help);
    };
    for (other, keys) in KINDS {
        if other == kind {
            continue;
        }
        for item in keys.iter().filter_map(|key| table.peek(key)) {
            let key = item.path.rsplit('.').next().unwrap_or_default();
            let problem = format!("`{key}` does not belong to a source with a {kind}");
            report.error(&item.path, problem, "leave out one of the two");
        }
    }
    let text = |key| table.peek(key).and_then(|item| item.as_text());
    if let (Some(item), Some(url)) = (table.peek("url-file"), text("url-file"))
        && url.contains("://")
    {
        let problem = "this looks like the URL itself, not like the path of its file".to_owned();
        report.error(&item.path, problem, SECRET_ADVICE);
    }
    if kind == "url-file" && !has("query") && !has("query-all") {
        let problem = "this database is asked nothing".to_owned();
        let help = "add a query, a query-all, or both";
        report.error(table.path(), problem, help);
    }
    if let (Some(item), Some(url)) = (table.peek("url"), text("url"))
        && !url.contains(ADDRESS_PLACEHOLDER)
        && !text("body").is_some_and(|body| body.contains(ADDRESS_PLACEHOLDER))
    {
        let problem = format!("{} does not say whom it is about", report.show(url));
        let help = "put {address} where the booker's address belongs, in the url or in a body";
        report.error(&item.path, problem, help);
    }
    for (key, with) in [("body", "url"), ("body-all", "url-all")] {
        if let Some(item) = table.peek(key).filter(|_| !has(with)) {
            let problem = format!("`{key}` is never sent without a {with}");
            report.error(&item.path, problem, format!("add {with}, or leave it out"));
        }
    }
}

//! Reads the section `[calcom]`.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::model::{self, Calcom};
use super::reader::{KEY_ADVICE, TomlTable, TomlValue};
use super::value;
use super::value::set;
use crate::domain::dialect::Dialect;
use crate::domain::gate::RefuseWith;
use crate::domain::id::{Address, HostId, HostKey};
use crate::domain::time::Span;

/// Bounds of the timeouts of one whole call. No server reliably answers in less than a second, and
/// a call that takes longer than ten minutes delays the pass without any benefit.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// Bounds of the timeout for connecting alone. The slowest resolvers and routes take a minute.
const CONNECT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time for which a call without an answer may still run at the server. Servers that
/// are stopped and continued, and queues of mail servers, take minutes. After a day, no booker
/// waits for a confirmation any more.
const RESEND: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// The values of the section: how to call Cal.com, and what the policy uses for decisions.
pub(super) struct CalcomSection {
    pub(super) calcom: Calcom,
    pub(super) refuse_with: RefuseWith,
    pub(super) hosts: Vec<HostKey>,
    pub(super) resend_after: Span,
}

pub(super) fn read(
    mut table: TomlTable<'_>,
    base: &Path,
    report: &mut DiagnosticCollector<'_>,
) -> CalcomSection {
    let mut calcom = Calcom::default();
    let mut refuse_with = RefuseWith::Decline;
    let mut hosts = Vec::new();
    let mut resend_after = model::default_limits().resend_after;
    if let Some(item) = table.get("base-url", report) {
        set(&mut calcom.base_url, read_base_url(&item, report));
    }
    if let Some(item) = table.get("dialect", report) {
        let words = [("v2", Dialect::V2), ("v1", Dialect::V1)];
        set(&mut calcom.dialect, item.keyword(&words, report));
    }
    if let Some(item) = table.get("api-key-file", report) {
        let wrong = "this looks like an API key, not like the path of its file";
        let file = value::read_secret_file(&item, base, (wrong, KEY_ADVICE), report);
        set(&mut calcom.api_key_file, file);
    }
    if let Some(item) = table.get("timeout", report) {
        set(
            &mut calcom.timeout,
            value::read_duration(&item, TIMEOUT, report),
        );
    }
    calcom.confirm_timeout = (calcom.timeout * 2).min(*TIMEOUT.end());
    if let Some(item) = table.get("confirm-timeout", report) {
        let timeout = value::read_duration(&item, TIMEOUT, report);
        set(&mut calcom.confirm_timeout, timeout);
    }
    if let Some(item) = table.get("resend-after", report) {
        set(&mut resend_after, value::read_span(&item, RESEND, report));
    }
    if resend_after
        .to_std()
        .is_ok_and(|resend| resend <= calcom.confirm_timeout)
    {
        let problem = "a call could be sent again while its answer is still waited for".to_owned();
        let help = "make calcom.resend-after longer than calcom.confirm-timeout (which is twice \
            calcom.timeout unless it is given)";
        report.error("calcom.resend-after", problem, help);
    }
    if let Some(item) = table.get("connect-timeout", report) {
        let timeout = value::read_duration(&item, CONNECT, report);
        set(&mut calcom.connect_timeout, timeout);
    }
    if let Some(item) = table.get("ca-file", report) {
        calcom.ca_file = match item.as_text() {
            Some("") => None,
            Some(_) | None => value::read_path(&item, base, report),
        };
    }
    if let Some(item) = table.get("budget", report) {
        set(&mut calcom.budget, value::read_percent(&item, report));
    }
    if let Some(item) = table.get("refuse-with", report) {
        let words = [
            ("decline", RefuseWith::Decline),
            ("cancel", RefuseWith::Cancel),
        ];
        set(&mut refuse_with, item.keyword(&words, report));
    }
    if let Some(item) = table.get("hosts", report) {
        hosts = read_hosts(&item, report);
    }
    table.report_unknown_keys(report);
    if calcom.dialect == Dialect::V1 {
        // With v1 there is no decline that notifies the booker.
        refuse_with = RefuseWith::Cancel;
    }
    CalcomSection {
        calcom,
        refuse_with,
        hosts,
        resend_after,
    }
}

/// Reads the base of all addresses. A slash at its end is dropped.
fn read_base_url(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("https://api.cal.com", report)?;
    let (problem, help) = match Url::parse(text) {
        Err(err) => (
            format!("is not a URL ({err})"),
            "give the whole address, for example \"https://api.cal.com\"",
        ),
        Ok(url) if !matches!(url.scheme(), "https" | "http") => (
            "is not an address of the web".to_owned(),
            "begin with https:// (or with http:// on this machine)",
        ),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => (
            "holds a user name or a password".to_owned(),
            "leave out all between // and @: Cal.com takes nothing but its API key",
        ),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => (
            "has a query or a fragment".to_owned(),
            "leave out all from ? or # on",
        ),
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
    };
    let problem = format!("{} {problem}", report.show(text));
    report.error(&item.path, problem, help);
    None
}

fn read_hosts(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<HostKey> {
    let mut hosts = Vec::new();
    for item in list.list("[42, \"bo@example.com\"]", report) {
        let Some(host) = read_host(&item, report) else {
            continue;
        };
        if hosts.contains(&host) {
            let problem = "this host stands here twice".to_owned();
            report.warn(&item.path, problem, "one of the two can go");
            continue;
        }
        hosts.push(host);
    }
    hosts
}

fn read_host(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<HostKey> {
    let help = "give a user's number at Cal.com (42) or the e-mail address (\"bo@example.com\")";
    if let Some(number) = item.as_number() {
        if number > 0 {
            return Some(HostKey::Id(HostId(number)));
        }
        report.error(&item.path, "a user's number is 1 or more".to_owned(), help);
        return None;
    }
    let Some(text) = item.as_text() else {
        item.report_type_mismatch("a number or a text in quotes", help, report);
        return None;
    };
    match Address::parse(text) {
        Ok(address) => Some(HostKey::Address(address)),
        Err(err) => {
            let problem = format!("{} {err}", report.show(text));
            report.error(&item.path, problem, help);
            None
        }
    }
}

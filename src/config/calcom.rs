//! The section `[calcom]`: which Cal.com is used, and how it is called.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::{Decisions, Operation};
use super::key::KeyValue::{Default, Example};
use super::key::{KeyRow, ReadContext, Section};
use super::model::Config;
use super::reader::toml_value::TomlValue;
use super::reader::{KEY_ADVICE, TomlTable};
use super::value;
use super::value_type::{
    DurationRange, EmptyForNone, FieldAt, FilePath, Keywords, SHARE, SecretFile, SpecialType,
};
use crate::domain::dialect::Dialect;
use crate::domain::gate::RefuseWith;
use crate::domain::id::{Address, HostId, HostKey};

/// Bounds of the timeouts of one whole call. No server reliably answers in less than a second, and
/// a call that takes longer than ten minutes delays the pass without any benefit.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// Bounds of the timeout for connecting alone. The slowest resolvers and routes take a minute.
const CONNECT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Bounds of the time for which a call without an answer may still run at the server. Servers that
/// are stopped and continued, and queues of mail servers, take minutes. After a day, no booker
/// waits for a confirmation any more.
const RESEND: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

pub(super) const SECTION: Section<Config> = Section {
    path: "calcom",
    doc: "",
    keys: &[KEYS],
    renamed: &[],
    complete,
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "base-url",
        value: Default("\"https://api.cal.com\""),
        affects: Operation,
        doc: "The address of Cal.com's API, without the version (/v2), which maitred adds itself. \
            On a self-hosted server it is not the address of the web pages.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.base_url,
            SpecialType {
                description: "a URL",
                read: read_base_url,
                to_json: |url: &String| url.as_str().into(),
            },
        ),
    },
    KeyRow {
        name: "dialect",
        value: Default("\"v2\""),
        affects: Operation,
        doc: "The version of Cal.com's API: \"v2\", or \"v1\" for self-hosted servers (up to about \
            6.1) that have no v2. The hosted service ended v1 on 2026-04-08. Use v2 wherever there \
            is one, because with v1:\n\
            - an accept sends no mail and no webhook and makes no calendar entry;\n\
            - a refusal is a cancellation;\n\
            - the API key stands in every URL, and so in the logs of proxies;\n\
            - 30 requests in 60 s at most, where a list counts as two, and the fifth refusal for \
            that within 30 minutes locks the account;\n\
            - each occurrence of a series is decided on its own.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.dialect,
            Keywords(&[("v2", Dialect::V2), ("v1", Dialect::V1)]),
        ),
    },
    KeyRow {
        name: "api-key-file",
        value: Default("\"/etc/maitred/calcom-api-key\""),
        affects: Operation,
        doc: "The file that holds the API key, and nothing else. It is the last of three places: \
            the variable MAITRED_API_KEY comes first, then systemd's credential \
            `calcom-api-key`. The key itself never stands in this file. The key acts as the user \
            who created it, so the host must create it.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.api_key_file,
            SecretFile {
                example: "/etc/maitred/calcom-api-key",
                problem: "this looks like an API key, not like the path of its file",
                help: KEY_ADVICE,
            },
        ),
    },
    KeyRow {
        name: "timeout",
        value: Default("\"60s\""),
        affects: Operation,
        doc: "How long one call that reads may take.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.timeout,
            DurationRange(TIMEOUT),
        ),
    },
    KeyRow {
        name: "confirm-timeout",
        value: Example("\"2m\""),
        affects: Operation,
        doc: "How long a confirm, a decline or a cancellation may take; left out: twice the \
            timeout. Cal.com makes calendar entries and sends mails before it answers.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.confirm_timeout,
            DurationRange(TIMEOUT),
        ),
    },
    KeyRow {
        name: "resend-after",
        value: Default("\"15m\""),
        affects: Decisions,
        doc: "How long a confirm, a decline or a cancellation may still run at Cal.com, counted \
            from the call. Until then maitred only reads the booking: a second call while the \
            first one runs would send all mails twice. It must be longer than confirm-timeout.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.limits.resend_after,
            DurationRange(RESEND),
        ),
    },
    KeyRow {
        name: "connect-timeout",
        value: Default("\"10s\""),
        affects: Operation,
        doc: "How long connecting may take.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.connect_timeout,
            DurationRange(CONNECT),
        ),
    },
    KeyRow {
        name: "ca-file",
        value: Default("\"\""),
        affects: Operation,
        doc: "A file with certificates (PEM) that maitred trusts in addition to those of the \
            system, for a server whose certificate comes from a private authority; \"\" for none. \
            maitred trusts them for Cal.com only, because an authority for one server must not \
            vouch for others. The variable SSL_CERT_FILE of the process names a file that replaces \
            the system's certificates, for Cal.com and for lookups. The variables HTTPS_PROXY, \
            HTTP_PROXY or ALL_PROXY set a proxy, as in http://proxy.example.org:3128, with \
            exceptions in NO_PROXY. maitred never uses a proxy for addresses of this machine.",
        field: &FieldAt(
            |config: &mut Config| &mut config.calcom.ca_file,
            EmptyForNone(FilePath("/etc/ssl/certs/example.pem")),
        ),
    },
    KeyRow {
        name: "budget",
        value: Default("\"50%\""),
        affects: Operation,
        doc: "The share of the server's rate limit that maitred may use. The rest is left to other \
            users of the key. Cal.com locks accounts that exceed the limit often.",
        field: &FieldAt(|config: &mut Config| &mut config.calcom.budget, SHARE),
    },
    KeyRow {
        name: "refuse-with",
        value: Default("\"decline\""),
        affects: Decisions,
        doc: "How a booking is refused: \"decline\" (Cal.com mails the booker that it was not \
            accepted), or \"cancel\". With dialect v1 it is always \"cancel\".",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.refuse_with,
            Keywords(&[
                ("decline", RefuseWith::Decline),
                ("cancel", RefuseWith::Cancel),
            ]),
        ),
    },
    KeyRow {
        name: "hosts",
        value: Default("[]"),
        affects: Decisions,
        doc: "Hosts whose bookings maitred answers in addition to those of the key's own user: a \
            user's number at Cal.com (42) or the e-mail address (\"bo@example.com\"). The key must \
            be allowed to act for these hosts. Bookings of all other hosts are left alone.",
        field: &FieldAt(
            |config: &mut Config| &mut config.policy.hosts,
            SpecialType {
                description: "a list of numbers and addresses",
                read: |item, _, report| Some(read_hosts(item, report)),
                to_json: |hosts: &Vec<HostKey>| value::sorted(hosts.iter().map(host_to_json)),
            },
        ),
    },
];

fn complete(
    _: &TomlTable<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let calcom = &mut config.calcom;
    if calcom.confirm_timeout.is_zero() {
        calcom.confirm_timeout = (calcom.timeout * 2).min(*TIMEOUT.end());
    }
    let resend_after = config.policy.limits.resend_after.to_std();
    if resend_after.is_ok_and(|resend| resend <= calcom.confirm_timeout) {
        let problem = "a call could be sent again while its answer is still waited for".to_owned();
        let help = "make calcom.resend-after longer than calcom.confirm-timeout (which is twice \
            calcom.timeout unless it is given)";
        report.error("calcom.resend-after", problem, help);
    }
    if calcom.dialect == Dialect::V1 {
        // With v1 there is no decline that notifies the booker.
        config.policy.refuse_with = RefuseWith::Cancel;
    }
}

pub(super) fn host_to_json(host: &HostKey) -> Value {
    match host {
        HostKey::Id(id) => id.0.into(),
        HostKey::Address(address) => address.as_str().into(),
    }
}

/// Reads the base of all addresses. A slash at its end is dropped.
fn read_base_url(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<String> {
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

/// Reads a list of hosts: numbers and addresses.
pub(super) fn read_hosts(
    list: &TomlValue<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Vec<HostKey> {
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

//! The section `[page]`: the web page of the daemon, and who can reach it.

use std::net::SocketAddr;

use reqwest::Url;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext, Section};
use super::model::Config;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{EmptyForNone, FLAG, FieldAt, SpecialType};

/// Most addresses under which browsers reach the page: one for each proxy or tunnel.
const MAX_ORIGINS: usize = 16;

pub(super) const SECTION: Section<Config> = Section {
    path: "page",
    doc: "",
    keys: &[KEYS],
    renamed: &[],
    complete,
};

const KEYS: &[KeyRow<Config>] = &[
    KeyRow {
        name: "listen",
        value: Default("\"\""),
        affects: Operation,
        doc: "The address and the port on which the daemon serves its web page, for example \
            \"127.0.0.1:8471\". \"\" turns the page off. `maitred page` prints a link that logs a \
            browser in.",
        field: &FieldAt(
            |config: &mut Config| &mut config.page.listen,
            EmptyForNone(SpecialType {
                description: "an address with a port",
                read: |item, _, report| read_listen(item, report),
                to_json: |address: &SocketAddr| address.to_string().into(),
            }),
        ),
    },
    KeyRow {
        name: "allow-remote",
        value: Default("false"),
        affects: Operation,
        doc: "Whether page.listen may be an address that other machines can reach. The page itself \
            uses no TLS: a reader of the connection can act as the operator. Prefer a tunnel \
            (ssh -L), or a proxy with TLS on this machine.",
        field: &FieldAt(|config: &mut Config| &mut config.page.allow_remote, FLAG),
    },
    KeyRow {
        name: "origins",
        value: Default("[]"),
        affects: Operation,
        doc: "The addresses under which browsers reach the page, if they are not the one of \
            page.listen: those of a proxy or a tunnel, for example \
            [\"https://maitred.example.com\"]. The page answers no browser that uses another name, \
            and `maitred page` prints its link with the first one.",
        field: &FieldAt(
            |config: &mut Config| &mut config.page.origins,
            SpecialType {
                description: "a list of addresses",
                read: |item, _, report| Some(read_origins(item, report)),
                to_json: |origins: &Vec<String>| origins.clone().into(),
            },
        ),
    },
];

fn read_listen(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<SocketAddr> {
    let text = item.text("127.0.0.1:8471", report)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            let problem = format!("{} is no address with a port", report.show(text));
            let help = "write an IP address and a port, for example \"127.0.0.1:8471\" or \
                \"[::1]:8471\"";
            report.error(&item.path, problem, help);
            None
        }
    }
}

fn read_origins(list: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Vec<String> {
    let items = list.list("[\"https://maitred.example.com\"]", report);
    let items = list.limit_count(items, MAX_ORIGINS, report);
    let origins = items.iter().map(|item| read_origin(item, report));
    origins.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Reads an origin: a scheme, a host and a port that is not the default of the scheme.
fn read_origin(item: &TomlValue<'_>, report: &mut DiagnosticCollector<'_>) -> Option<String> {
    let text = item.text("https://maitred.example.com", report)?;
    let is_origin = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(text).ok().filter(is_origin) {
        Some(url) => Some(url.origin().ascii_serialization()),
        None => {
            let problem = format!("{} is no address of a page", report.show(text));
            let help = "write http:// or https:// and the name, with a port if there is one, and \
                nothing else: \"https://maitred.example.com\"";
            report.error(&item.path, problem, help);
            None
        }
    }
}

/// Checks that other machines reach the page only where the operator says so, and by a name that
/// the page knows.
fn complete(
    _: &TomlTable<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let page = &config.page;
    let Some(listen) = page.listen.filter(|listen| !listen.ip().is_loopback()) else {
        return;
    };
    if !page.allow_remote {
        let problem = format!("other machines can reach {listen}, and the page uses no TLS");
        let help = "listen on 127.0.0.1 and use a tunnel or a proxy, or set page.allow-remote = \
            true";
        report.error("page.listen", problem, help);
    } else if listen.ip().is_unspecified() && page.origins.is_empty() {
        let problem =
            format!("{listen} is every address of this machine, and none that a browser uses");
        let help = "set page.origins to the addresses that browsers use, for example \
            [\"http://192.0.2.7:8471\"]";
        report.error("page.listen", problem, help);
    }
}

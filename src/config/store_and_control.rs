//! The sections `[store]` and `[control]`: where the ledger is, and where the daemon answers.

use std::path::PathBuf;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Operation;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext, Section};
use super::model::{Config, StoreConfig};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::{FieldAt, FilePath, SpecialField};

/// The longest path of a Unix socket, without the zero at its end.
const MAX_SOCKET: usize = 107;

pub(super) const STORE: Section<Config> = Section {
    path: "store",
    doc: "",
    keys: &[&[KeyRow {
        name: "path",
        value: Default("\"/var/lib/maitred\""),
        affects: Operation,
        doc: "The directory of the ledger. One process uses it at a time. Back it up with \
            `maitred backup`.",
        field: &FieldAt(local_path, FilePath("/var/lib/maitred")),
    }]],
    renamed: &[],
    complete: |_, _, _, _| {},
};

fn local_path(config: &mut Config) -> &mut PathBuf {
    let StoreConfig::Local { path } = &mut config.store;
    path
}

pub(super) const CONTROL: Section<Config> = Section {
    path: "control",
    doc: "",
    keys: &[&[KeyRow {
        name: "socket",
        value: Default("\"control.sock\""),
        affects: Operation,
        doc: "The Unix socket on which the daemon answers commands. A relative path starts at the \
            directory of the store. \"\" turns it off: then no command reaches the daemon while it \
            runs.",
        field: &SpecialField {
            description: "a path, or \"\"",
            read: read_socket,
            to_json: |config: &mut Config| match &config.control.socket {
                Some(path) => value::path_to_json(path),
                None => "".into(),
            },
        },
    }]],
    renamed: &[],
    complete: check_socket,
};

fn read_socket(
    item: &TomlValue<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    if item.as_text() == Some("") {
        config.control.socket = None;
    } else if let Some(path) = value::read_path(item, config.state_dir(), "control.sock", report) {
        config.control.socket = Some(path);
    }
}

/// Checks the path of the socket, which may depend on that of the store.
fn check_socket(
    _: &TomlTable<'_>,
    config: &mut Config,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) {
    let socket = config.control.socket.as_ref();
    if socket.is_some_and(|socket| socket.as_os_str().len() > MAX_SOCKET) {
        let problem = format!("the socket's path is longer than {MAX_SOCKET} bytes");
        let help =
            "set control.socket to a shorter path, for example \"/run/maitred/control.sock\"";
        report.error("control.socket", problem, help);
    }
}

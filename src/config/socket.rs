//! Finds the daemon's socket in a configuration that cannot be used. The daemon keeps running with
//! its previous configuration, and `status`, `pause` and `resume` need nothing but its socket.

use std::path::{Path, PathBuf};

use super::parse::parse;

/// The most bytes that are searched; a configuration is far smaller.
const MAX_BYTES: usize = 1024 * 1024;

/// Returns the socket that the file names, even if other parts of the file are wrong. Reads line by
/// line, because even the syntax of the whole file may be wrong. `None` if the socket is turned
/// off.
pub fn find_socket(config: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(config).unwrap_or_default();
    let bytes = bytes.get(..MAX_BYTES.min(bytes.len())).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let setting = |section, key| {
        let text = find_text(&text, section, key)?;
        Some(format!(
            "[{section}]\n{key} = {}\n",
            toml::Value::from(text)
        ))
    };
    let settings = [setting("store", "path"), setting("control", "socket")];
    let settings: String = settings.into_iter().flatten().collect();
    let source = config.to_string_lossy();
    let loaded = parse(&settings, &source).or_else(|_| parse("", &source));
    loaded.ok()?.config.control.socket
}

/// Returns the text of a key of a section. The last one counts.
fn find_text(text: &str, section: &str, key: &str) -> Option<String> {
    let mut current_section = String::new();
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            current_section = name.split(']').next().unwrap_or_default().trim().to_owned();
            continue;
        }
        let Some((name, _)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim().replace(' ', "");
        let dotted = current_section.is_empty() && name == format!("{section}.{key}");
        if !dotted && (current_section != section || name != key) {
            continue;
        }
        let Ok(table) = line.parse::<toml::Table>() else {
            continue;
        };
        let table = match table.get(section).and_then(toml::Value::as_table) {
            Some(section_table) => section_table,
            None => &table,
        };
        let text = table.get(key).and_then(toml::Value::as_str);
        found = text.map(str::to_owned).or(found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_in_a_configuration_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let default_socket = |store: &str| Some(folder.path().join(store).join("control.sock"));
        let rows: [(&str, Option<PathBuf>); 8] = [
            (
                "[store]\npath = \"state\"\n[[gate\n",
                default_socket("state"),
            ),
            (
                "[store]\npath = 'state' # here\ncolour = red",
                default_socket("state"),
            ),
            ("store.path = \"state\"\nnonsense", default_socket("state")),
            (
                "[other]\npath = \"x\"\n[store]\npath = \"y\"",
                default_socket("y"),
            ),
            (
                "[store]\npath = \"state\"\n[control]\nsocket = \"/run/m.sock\"\n???",
                Some(PathBuf::from("/run/m.sock")),
            ),
            ("[control]\nsocket = \"\"\n???", None),
            (
                "[control]\nsocket = \"\n",
                default_socket("/var/lib/maitred"),
            ),
            ("", default_socket("/var/lib/maitred")),
        ];
        for (text, expect) in rows {
            std::fs::write(&file, text).unwrap();
            assert_eq!(find_socket(&file), expect, "{text}");
        }
        let none = find_socket(&folder.path().join("none"));
        assert_eq!(none, default_socket("/var/lib/maitred"));
    }
}

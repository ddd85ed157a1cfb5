//! `maitred config show` as operators see it: the values that are used, where each comes from, and
//! no secret.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const KEY: &str = "cal_live_5ecre70123456789";

const TEXT: &str = "\
[calcom]
timeout = \"90s\"

[[gate]]
event-types = [\"book-club\"]
";

fn show(config: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_maitred"));
    command.args(["config", "show"]).args(args);
    command.env_clear().envs(variables.iter().copied());
    command.current_dir(folder.path()).output().unwrap()
}

/// Returns the value and the origin of the key or the option.
fn find(view: &Value, list: &str, key: &str) -> (Value, Value, Value) {
    let settings = view[list].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["key"] == key);
    let found = found.unwrap_or_else(|| panic!("{key} is not shown"));
    let part = |name: &str| found[name].clone();
    (part("value"), part("origin"), part("place"))
}

#[test]
fn every_value_is_shown_with_its_origin_and_the_key_never() {
    let variables = [
        ("MAITRED_CONFIG", "c.toml"),
        ("MAITRED_LOG", "error"),
        ("MAITRED_API_KEY", KEY),
    ];
    let output = show(TEXT, &["--format", "json"], &variables);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(!printed.contains(KEY), "{printed}");
    let view: Value = serde_json::from_str(&printed).unwrap();
    let null = Value::Null;
    let rows = [
        (
            "options",
            "--config",
            json!("c.toml"),
            "environment",
            json!("MAITRED_CONFIG"),
        ),
        (
            "options",
            "--format",
            json!("json"),
            "flag",
            json!("--format"),
        ),
        (
            "options",
            "--log-level",
            json!("error"),
            "environment",
            json!("MAITRED_LOG"),
        ),
        (
            "options",
            "--log-format",
            json!("plain"),
            "default",
            null.clone(),
        ),
        (
            "settings",
            "calcom.timeout",
            json!("1m 30s"),
            "file",
            json!("c.toml:2"),
        ),
        (
            "settings",
            "calcom.confirm-timeout",
            json!("3m"),
            "default",
            null.clone(),
        ),
        (
            "settings",
            "gate[0].name",
            json!("book-club"),
            "default",
            null,
        ),
    ];
    for (list, key, value, origin, place) in rows {
        assert_eq!(
            find(&view, list, key),
            (value, json!(origin), place),
            "{key}"
        );
    }
    assert_eq!(
        view["api_key"],
        json!({ "origin": "environment", "place": "MAITRED_API_KEY" })
    );
}

#[test]
fn people_read_a_table_and_a_wrong_configuration_is_refused() {
    let plain = show(TEXT, &["--config", "c.toml"], &[("MAITRED_API_KEY", KEY)]);
    let printed = String::from_utf8(plain.stdout).unwrap();
    assert!(!printed.contains(KEY), "{printed}");
    for part in [
        "calcom.timeout",
        "c.toml:2",
        "MAITRED_API_KEY",
        "(never shown)",
        "default",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let wrong = format!("[calcom]\napi-key = \"{KEY}\"\n");
    let refused = show(&wrong, &["--config", "c.toml"], &[]);
    assert_eq!(refused.status.code(), Some(78));
    let printed = [refused.stdout, refused.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    assert!(!printed.contains(KEY), "{printed}");
}

/// Returns everything that `check` and `config show` print in a folder with this configuration.
fn print_all(folder: &Path, variables: &[(&str, &str)]) -> String {
    let mut printed = String::new();
    for command in [&["check"][..], &["config", "show"]] {
        for format in ["plain", "json"] {
            let mut process = Command::new(env!("CARGO_BIN_EXE_maitred"));
            process.args(command).args(["--format", format]);
            process.args(["--config", "c.toml"]).current_dir(folder);
            let output = process.env_clear().envs(variables.iter().copied());
            let output = output.output().unwrap();
            printed += &String::from_utf8(output.stdout).unwrap();
            printed += &String::from_utf8(output.stderr).unwrap();
        }
    }
    printed
}

/// A secret of any form may stand where the path of its file belongs.
#[test]
fn a_secret_in_place_of_its_path_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let lookup = "[[lookup]]\nname = \"m\"\nurl = \"https://m.example.com/{address}\"\n";
    let secrets = [
        "hunter2",
        "hunter2-Zq9",
        "hunter2/Zq9+==",
        "Zq9xK3vTt7LmPhunter2",
    ];
    for secret in secrets {
        let texts = [
            format!("[calcom]\napi-key-file = \"{secret}\"\n"),
            format!("[calcom]\napi-key-file = {secret}\n"),
            format!("{lookup}credential-file = '{secret}'\n"),
            format!("{lookup}credential-file = '{secret}'\ntimeout = 1\n"),
            format!("{lookup}credential-file = ['{secret}']\n"),
        ];
        for text in texts {
            fs::write(folder.path().join("c.toml"), &text).unwrap();
            let printed = print_all(folder.path(), &[]);
            assert!(!printed.contains("hunter2"), "{text}\n{printed}");
        }
    }
}

#[test]
fn a_relative_path_of_a_key_is_printed_if_the_file_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.txt"), KEY).unwrap();
    let text = "[calcom]\napi-key-file = \"key.txt\"\n";
    fs::write(folder.path().join("c.toml"), text).unwrap();
    let printed = print_all(folder.path(), &[]);
    assert!(printed.contains("found in the file key.txt"), "{printed}");
    assert!(printed.contains("\"key.txt\""), "{printed}");
    assert!(!printed.contains("5ecre7"), "{printed}");
}

#[test]
fn an_empty_variable_in_place_of_the_key_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), TEXT).unwrap();
    let printed = print_all(folder.path(), &[("MAITRED_API_KEY", "")]);
    assert!(
        printed.contains("MAITRED_API_KEY: it is empty"),
        "{printed}"
    );
    assert!(printed.contains("unset it"), "{printed}");
    assert!(!printed.contains("see calcom.api-key-file"), "{printed}");
}

//! `maitred config show`: prints the values that are used, and where each comes from. A secret is
//! never printed: of the API key only the place, and of texts that look like one nothing.

use clap::parser::ValueSource;
use serde_json::Value;

use super::args::Format;
use super::command_line;
use super::context::{Context, print};
use super::render::layout::PageLayout;
use super::render::policy::render_json;
use super::render::sanitize::sanitize_text;
use crate::config::parse::Loaded;
use crate::config::schema::printable_settings;
use crate::config::secret::{KEY_VARIABLE, KeyOrigin};
use crate::control::config::{ConfigView, OriginView, SettingView};
use crate::control::protocol::{Refusal, SCHEMA};
use crate::daemon::calendar;

/// Prints the configuration.
///
/// # Errors
/// Returns a refusal if the configuration cannot be read or is wrong, or if standard output cannot
/// be written.
pub fn show(context: &Context) -> Result<u8, Refusal> {
    let loaded = context.config()?;
    let file = context.global.config.display().to_string();
    let view = ConfigView {
        schema: SCHEMA,
        policy: loaded.config.policy.hash.clone(),
        api_key: find_key_origin(&loaded),
        options: options(context),
        settings: settings(&loaded, &file),
        config: file,
    };
    let text = match context.global.format {
        Format::Plain | Format::Html | Format::Csv => render_plain(&view, &context.page()),
        Format::Json => render_json(&view),
    };
    print(text.as_bytes())
}

fn settings(loaded: &Loaded, file: &str) -> Vec<SettingView> {
    let view = |setting: crate::config::key::Setting| SettingView {
        origin: match loaded.lines.get(&setting.key) {
            Some(line) => origin("file", Some(format!("{file}:{line}"))),
            None => origin("default", None),
        },
        key: setting.key,
        value: setting.value,
        affects_decisions: setting.affects_decisions,
    };
    let settings = printable_settings(&loaded.config);
    settings.into_iter().map(view).collect()
}

/// Returns the options of every command.
fn options(context: &Context) -> Vec<SettingView> {
    let global = &context.global;
    let values = [
        ("config", global.config.to_string_lossy().into()),
        ("format", name(&global.format).into()),
        ("log-format", name(&global.log_format).into()),
        ("log-level", global.log_level.clone().into()),
    ];
    let sources = command_line::option_sources(std::env::args_os());
    let view = |(option, value): (&str, Value)| SettingView {
        key: format!("--{option}"),
        value,
        origin: match sources.get(option) {
            Some((ValueSource::CommandLine, _)) => origin("flag", Some(format!("--{option}"))),
            Some((ValueSource::EnvVariable, variable)) => origin("environment", variable.clone()),
            Some(_) | None => origin("default", None),
        },
        affects_decisions: false,
    };
    values.into_iter().map(view).collect()
}

fn name(value: &impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn find_key_origin(loaded: &Loaded) -> OriginView {
    match calendar::load_key(&loaded.config).map(|key| key.origin) {
        Ok(KeyOrigin::Variable) => origin("environment", Some(KEY_VARIABLE.to_owned())),
        Ok(KeyOrigin::Credential(path)) => origin("file", Some(path.display().to_string())),
        Ok(KeyOrigin::File(path)) => origin("file", Some(path.to_string())),
        Err(_) => origin("missing", None),
    }
}

fn origin(origin: &str, place: Option<String>) -> OriginView {
    OriginView {
        origin: origin.to_owned(),
        place,
    }
}

fn render_plain(view: &ConfigView, page: &PageLayout) -> String {
    let settings = view.options.iter().chain(&view.settings);
    let mut rows: Vec<Vec<String>> = settings
        .map(|setting| {
            vec![
                setting.key.clone(),
                sanitize_text(&render_value(&setting.value)),
                render_origin(&setting.origin),
            ]
        })
        .collect();
    let api_key = "(never shown)".to_owned();
    rows.insert(
        view.options.len(),
        vec!["API key".to_owned(), api_key, render_origin(&view.api_key)],
    );
    let table = page.render_table(&["key", "value", "from"], &["key"], &[], rows);
    format!("Policy {}\n\n{table}", view.policy)
}

fn render_origin(origin: &OriginView) -> String {
    match (&origin.place, origin.origin.as_str()) {
        (Some(place), "file" | "environment" | "flag") => sanitize_text(place),
        (Some(_) | None, word) => word.to_owned(),
    }
}

/// Renders the value as TOML.
fn render_value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(render_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| format!("{key} = {}", render_value(value)));
            format!("{{ {} }}", entries.collect::<Vec<String>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::parse::parse;

    const TEXT: &str = "\
[calcom]
timeout = \"90s\"

[[gate]]
name = \"4f1d09ab8c774f1d09ab8c77\"
event-types = [\"book-club\"]
cost = 2
";

    fn settings_of(text: &str) -> Vec<SettingView> {
        settings(&parse(text, "c.toml").unwrap(), "c.toml")
    }

    #[test]
    fn every_setting_has_its_value_and_its_origin() {
        let settings = settings_of(TEXT);
        let rows = [
            ("calcom.timeout", json!("1m 30s"), "file", Some("c.toml:2")),
            ("calcom.confirm-timeout", json!("3m"), "default", None),
            (
                "calcom.base-url",
                json!("https://api.cal.com"),
                "default",
                None,
            ),
            (
                "control.socket",
                json!("/var/lib/maitred/control.sock"),
                "default",
                None,
            ),
            ("gate[0].cost", json!(2), "file", Some("c.toml:7")),
            (
                "gate[0].refund",
                json!([{ "before": "1day", "share": "100%" }]),
                "default",
                None,
            ),
            ("gate[0].short-of-credit", json!("decline"), "default", None),
        ];
        for (key, value, origin, place) in rows {
            let found = settings.iter().find(|setting| setting.key == key);
            let found = found.unwrap_or_else(|| panic!("{key} is not shown"));
            assert_eq!(found.value, value, "{key}");
            let place = place.map(str::to_owned);
            assert_eq!(
                (found.origin.origin.as_str(), &found.origin.place),
                (origin, &place)
            );
        }
    }

    #[test]
    fn a_text_that_looks_like_a_secret_is_not_shown() {
        let shown = settings_of(TEXT)
            .into_iter()
            .map(|setting| setting.value.to_string());
        let shown: String = shown.collect();
        assert!(!shown.contains("4f1d09ab8c77"), "{shown}");
        assert!(shown.contains("it looks like a secret"), "{shown}");
    }

    #[test]
    fn values_are_rendered_as_toml() {
        let rows = [
            (json!(null), "-"),
            (json!("a \"b\""), r#""a \"b\"""#),
            (json!({}), "{}"),
            (
                json!([{ "at-most": 2, "per": "week" }, true]),
                r#"[{ at-most = 2, per = "week" }, true]"#,
            ),
        ];
        for (value, expect) in rows {
            assert_eq!(render_value(&value), expect);
        }
    }
}

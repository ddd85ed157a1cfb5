//! The description of the local API: `docs/formats/openapi.json` and the table of `docs/api.md`, made
//! from the table of routes and from the types of the protocol with their comments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use maitred::control::api::route::{OPENAPI_PATH, ROUTES, Route, RouteKind};
use serde_json::{Value, json};

use super::formats::WRITE_VARIABLE;
use super::schema::{self, Field, ItemPrelude};

const PROTOCOL: &str = include_str!("../../../src/control/protocol.rs");

const OPENAPI: &str = "docs/formats/openapi.json";

/// The page whose table is made from the table of routes, between these marks.
const PAGE: &str = "docs/api.md";
const BEGIN: &str = "<!-- table of routes: made from src/control/api/route.rs -->\n";
const END: &str = "<!-- end of the table of routes -->\n";

/// A variant of an enum of the protocol.
struct Variant {
    about: String,
    /// The type that the variant holds, if it holds one.
    holds: Option<String>,
    /// The fields of the variant, or of the type that it holds.
    fields: Vec<Field>,
}

/// Returns the variants of an enum of the protocol, by name as serde writes it.
fn variants(of: &str) -> BTreeMap<String, Variant> {
    let (_, rest) = PROTOCOL
        .split_once(&format!("\npub enum {of} {{\n"))
        .expect("the enum is in the protocol");
    let (body, _) = rest.split_once("\n}\n").expect("the enum ends");
    let mut variants = BTreeMap::new();
    let mut above = ItemPrelude::default();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        if above.take_line(line) {
            continue;
        }
        let line = line.trim().trim_end_matches(',');
        let (name, holds, fields) = if let Some(name) = line.strip_suffix(" {}") {
            (name, None, Vec::new())
        } else if let Some(name) = line.strip_suffix(" {") {
            let body: Vec<&str> = lines
                .by_ref()
                .take_while(|line| *line != "    },")
                .collect();
            (name, None, schema::parse_fields(&body, true))
        } else {
            let (name, held) = line.split_once('(').expect("a variant that holds a type");
            let held = held.trim_end_matches(')').trim_start_matches("Box<");
            let held = held.trim_end_matches('>');
            (name, Some(held.to_owned()), schema::fields_of(held))
        };
        let about = std::mem::take(&mut above).about;
        let variant = Variant {
            about,
            holds,
            fields,
        };
        variants.insert(schema::to_kebab(name), variant);
    }
    variants
}

/// Returns the first sentence of a comment.
fn first_sentence(about: &str) -> &str {
    about
        .split_once(". ")
        .map_or(about, |(first, _)| first)
        .trim_end_matches('.')
}

/// What the documents say about a route.
struct Described {
    route: &'static Route,
    command: Variant,
    view: String,
}

fn described_routes() -> Vec<Described> {
    let (mut commands, results) = (variants("Command"), variants("CommandResult"));
    let described = ROUTES.iter().map(|route| Described {
        route,
        command: commands.remove(route.command).expect("a command"),
        view: results[route.result].holds.clone().expect("a view"),
    });
    let described = described.collect();
    let left: Vec<&String> = commands.keys().collect();
    assert!(left.is_empty(), "commands without a route: {left:?}");
    described
}

/// Returns the operation of a route; types that it names are added to `open`.
fn operation(described: &Described, open: &mut Vec<String>) -> Value {
    let Described {
        route,
        command,
        view,
    } = described;
    open.push(view.clone());
    let mut operation = json!({
        "operationId": route.command,
        "summary": first_sentence(&command.about),
        "description": command.about,
        "responses": {
            "200": {
                "description": "The result.",
                "headers": {"Maitred-Schema": {"$ref": "#/components/headers/Maitred-Schema"}},
                "content": {"application/json": {"schema": {"$ref": format!("#/$defs/{view}")}}},
            },
            "default": {"$ref": "#/components/responses/Refusal"},
        },
    });
    let mut parameters = vec![json!({"$ref": "#/components/parameters/Maitred-Schema"})];
    match route.kind {
        RouteKind::Read => parameters.extend(command.fields.iter().map(|field| {
            // A query has no null: what has no value is left out.
            json!({
                "name": field.name,
                "in": "query",
                "required": !field.optional,
                "description": field.about,
                "schema": schema::type_schema(&field.kind, true, &mut Vec::new()),
            })
        })),
        RouteKind::Change => {
            let content = schema::object_schema(&command.fields, open);
            let required = command.fields.iter().any(|field| !field.optional);
            operation["requestBody"] = json!({
                "required": required,
                "content": {"application/json": {"schema": content}},
            });
        }
    }
    operation["parameters"] = Value::from(parameters);
    operation
}

/// Returns the components that all operations share.
fn shared_components() -> [(&'static str, Value); 3] {
    let version = json!({"type": "integer", "const": 1});
    let refusal = json!({
        "description": "Why the command was not carried out. The status goes with the code.",
        "headers": {"Maitred-Schema": {"$ref": "#/components/headers/Maitred-Schema"}},
        "content": {"application/json": {"schema": {"$ref": "#/$defs/Refusal"}}},
    });
    let of_answer = json!({
        "description": "The version of the shapes that the daemon uses.",
        "required": true,
        "schema": version,
    });
    let of_request = json!({
        "name": "Maitred-Schema",
        "in": "header",
        "required": false,
        "description": "The version of the shapes that the client uses. A daemon of another \
                        version refuses the request.",
        "schema": version,
    });
    [
        ("headers", json!({"Maitred-Schema": of_answer})),
        ("parameters", json!({"Maitred-Schema": of_request})),
        ("responses", json!({"Refusal": refusal})),
    ]
}

/// Returns the OpenAPI document as text: one line for each route, and for each property of a type.
fn openapi() -> String {
    let mut open = vec!["Refusal".to_owned()];
    let lines: Vec<String> = described_routes()
        .iter()
        .map(|described| {
            let method = described.route.method().as_str().to_lowercase();
            let item = json!({ method: operation(described, &mut open) });
            format!("    \"{}\": {item}", described.route.path)
        })
        .collect();
    let roots: Vec<&str> = open.iter().map(String::as_str).collect();
    let document = schema::document(&roots);
    let definitions = document["$defs"].as_object().expect("definitions");
    let definitions: Vec<String> = definitions
        .iter()
        .map(|(name, of)| schema::definition_text(name, of))
        .collect();
    let shared: String = shared_components()
        .iter()
        .map(|(name, of)| format!("    \"{name}\": {of},\n"))
        .collect();
    let info = json!({
        "title": "maitred",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "The local API of the daemon, on its Unix socket; docs/api.md introduces it.",
    });
    let text = format!(
        "{{\n  \"openapi\": \"3.1.0\",\n  \"info\": {info},\n  \
         \"servers\": [{{\"url\": \"http://localhost\"}}],\n  \"paths\": {{\n{}\n  }},\n  \
         \"components\": {{\n{shared}    \"schemas\": {{\n{}\n    }}\n  }}\n}}\n",
        lines.join(",\n"),
        definitions.join(",\n"),
    );
    text.replace("\"#/$defs/", "\"#/components/schemas/")
}

fn table() -> String {
    let mut table =
        String::from("\n| Request | What it does | Fields | Answer |\n| --- | --- | --- | --- |\n");
    for Described {
        route,
        command,
        view,
    } in described_routes()
    {
        let field = |field: &Field| match field.optional {
            true => format!("[`{}`]", field.name),
            false => format!("`{}`", field.name),
        };
        let fields: Vec<String> = command.fields.iter().map(field).collect();
        table += &format!(
            "| `{} {}` | {} | {} | `{view}` |\n",
            route.method(),
            route.path,
            first_sentence(&command.about),
            fields.join(", "),
        );
    }
    table + "\n"
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn is_writing() -> bool {
    std::env::var_os(WRITE_VARIABLE).is_some()
}

#[test]
fn the_openapi_document_matches_the_routes_and_the_types() {
    let text = openapi();
    if is_writing() {
        fs::write(path(OPENAPI), &text).unwrap();
    }
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["paths"].as_object().unwrap().len(), ROUTES.len());
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > ROUTES.len());
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} is missing"
        );
    }
    let stored = fs::read_to_string(path(OPENAPI)).unwrap_or_default();
    assert!(
        stored == text,
        "run {WRITE_VARIABLE}=1 cargo test --test docs api, and look at the difference"
    );
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference.to_owned()),
                    _ => collect_references(value, found),
                }
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

#[test]
fn the_page_of_the_api_has_the_table_of_routes() {
    let text = fs::read_to_string(path(PAGE)).expect("the page is there");
    let (before, rest) = text.split_once(BEGIN).expect("the page has the first mark");
    let (shown, after) = rest.split_once(END).expect("the page has the second mark");
    let table = table();
    if is_writing() {
        let text = format!("{before}{BEGIN}{table}{END}{after}");
        fs::write(path(PAGE), text).expect("the page can be written");
        return;
    }
    assert!(
        shown == table,
        "run {WRITE_VARIABLE}=1 cargo test --test docs api, and look at the difference"
    );
    assert!(text.contains(OPENAPI_PATH), "the page names {OPENAPI_PATH}");
}

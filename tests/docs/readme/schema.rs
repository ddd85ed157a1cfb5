//! JSON Schemas of what commands print and of notifications, made from the types in `src`: a field of a type is a
//! property, and its documentation comment is the description. Only what these types use is
//! understood.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// The files that contain the types.
const SOURCES: [&str; 4] = [
    "src/control",
    "src/cli/init.rs",
    "src/control/policy.rs",
    "src/notify/view.rs",
];

/// Any JSON value.
const ANY_TYPE: [&str; 6] = ["string", "number", "boolean", "array", "object", "null"];

/// A type: a struct with its fields, or an enum of words.
#[derive(Debug, Clone)]
enum Shape {
    Struct { about: String, fields: Vec<Field> },
    Words { about: String, words: Vec<String> },
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub kind: String,
    pub about: String,
    /// The field is left out when it is empty; in a request, it may be left out.
    pub optional: bool,
    flatten: bool,
}

/// Returns the schema of all types that the roots need, for what commands print.
pub fn document(roots: &[&str]) -> Value {
    titled_document(
        roots,
        "What maitred prints with --format json",
        "docs/formats/commands.md says which command prints which of these.",
    )
}

/// Returns the schema of all types that the roots need.
pub fn titled_document(roots: &[&str], title: &str, description: &str) -> Value {
    let shapes = shapes();
    let mut definitions = BTreeMap::new();
    let mut open: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
    while let Some(name) = open.pop() {
        if definitions.contains_key(&name) {
            continue;
        }
        let shape = shapes
            .get(&name)
            .unwrap_or_else(|| panic!("{name} is not found"));
        let definition = definition(shape, &shapes, &mut open);
        definitions.insert(name, definition);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "$defs": definitions,
    })
}

/// Returns the document as text, with one line for each property.
pub fn text(document: &Value) -> String {
    let mut text = String::from("{\n");
    for name in ["$schema", "title", "description"] {
        text += &format!("  \"{name}\": {},\n", document[name]);
    }
    text += "  \"$defs\": {\n";
    let definitions = document["$defs"].as_object().unwrap();
    let parts: Vec<String> = definitions
        .iter()
        .map(|(name, of)| definition_text(name, of))
        .collect();
    text + &parts.join(",\n") + "\n  }\n}\n"
}

/// Returns a definition as text, with one line for each property.
pub fn definition_text(name: &str, definition: &Value) -> String {
    let Some(properties) = definition["properties"].as_object() else {
        return format!("    \"{name}\": {definition}");
    };
    let mut text = format!("    \"{name}\": {{\n");
    for key in ["description", "type", "required"] {
        if let Some(value) = definition.get(key) {
            text += &format!("      \"{key}\": {value},\n");
        }
    }
    let lines = properties
        .iter()
        .map(|(name, of)| format!("        \"{name}\": {of}"));
    let lines: Vec<String> = lines.collect();
    text + "      \"properties\": {\n" + &lines.join(",\n") + "\n      }\n    }"
}

fn definition(shape: &Shape, shapes: &BTreeMap<String, Shape>, open: &mut Vec<String>) -> Value {
    match shape {
        Shape::Words { about, words } => with_about(json!({ "enum": words }), about),
        Shape::Struct { about, fields } => {
            let mut properties = Map::new();
            let mut required = Vec::new();
            for field in flatten_fields(fields, shapes) {
                let schema = type_schema(&field.kind, field.optional, open);
                properties.insert(field.name.clone(), with_about(schema, &field.about));
                if !field.optional {
                    required.push(field.name.clone());
                }
            }
            let schema = json!({"type": "object", "properties": properties, "required": required});
            with_about(schema, about)
        }
    }
}

fn flatten_fields(fields: &[Field], shapes: &BTreeMap<String, Shape>) -> Vec<Field> {
    let one = |field: &Field| match shapes.get(&field.kind) {
        Some(Shape::Struct { fields, .. }) if field.flatten => flatten_fields(fields, shapes),
        _ => vec![field.clone()],
    };
    fields.iter().flat_map(one).collect()
}

fn with_about(mut schema: Value, about: &str) -> Value {
    if !about.is_empty() {
        schema["description"] = Value::from(about);
    }
    schema
}

/// Returns the schema of an object with these fields. Types that it names are added to `open`.
pub fn object_schema(fields: &[Field], open: &mut Vec<String>) -> Value {
    let mut properties = Map::new();
    for field in fields {
        // An optional value of a request may also be null.
        let schema = type_schema(&field.kind, false, open);
        properties.insert(field.name.clone(), with_about(schema, &field.about));
    }
    let required = fields.iter().filter(|field| !field.optional);
    let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Returns the fields of a struct.
pub fn fields_of(name: &str) -> Vec<Field> {
    match shapes().remove(name) {
        Some(Shape::Struct { fields, .. }) => fields,
        other => panic!("{name} is not a struct: {other:?}"),
    }
}

/// Returns the schema of a Rust type. Types that it names are added to `open`.
pub fn type_schema(name: &str, optional: bool, open: &mut Vec<String>) -> Value {
    let within = |outer: &str| name.strip_prefix(outer)?.strip_suffix('>');
    if let Some(inner) = within("Option<") {
        let inner = type_schema(inner, false, open);
        return match optional {
            true => inner,
            false => json!({"anyOf": [inner, {"type": "null"}]}),
        };
    }
    if let Some(inner) = within("Vec<") {
        return json!({"type": "array", "items": type_schema(inner, false, open)});
    }
    if let Some(inner) = within("Box<") {
        return type_schema(inner, optional, open);
    }
    match name {
        "String" => json!({"type": "string"}),
        "bool" => json!({"type": "boolean"}),
        "u8" | "u32" | "u64" | "usize" => json!({"type": "integer", "minimum": 0}),
        "i64" => json!({"type": "integer"}),
        "Value" => json!({"type": ANY_TYPE}),
        "BTreeMap<String, String>" => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        other => {
            open.push(other.to_owned());
            json!({"$ref": format!("#/$defs/{other}")})
        }
    }
}

fn shapes() -> BTreeMap<String, Shape> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shapes = BTreeMap::new();
    for source in SOURCES {
        read(&root.join(source), &mut shapes);
    }
    shapes
}

fn read(path: &Path, shapes: &mut BTreeMap<String, Shape>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), shapes);
        }
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    let mut above = ItemPrelude::default();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if above.take_line(line) {
            continue;
        }
        let line = line.trim_start_matches("pub ");
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [what @ ("struct" | "enum"), name, "{"] = words[..] {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
            let shape = match what {
                "struct" => Some(Shape::Struct {
                    fields: parse_fields(&body, above.is_request()),
                    about: above.about.clone(),
                }),
                _ => parse_enum(&body, &above.about),
            };
            if let Some(shape) = shape {
                shapes.insert(name.to_owned(), shape);
            }
        }
        above = ItemPrelude::default();
    }
}

/// The comment and the attributes above an item.
#[derive(Default)]
pub struct ItemPrelude {
    pub about: String,
    attributes: String,
}

impl ItemPrelude {
    /// Returns true for a type that clients send.
    fn is_request(&self) -> bool {
        self.attributes.contains("deny_unknown_fields")
    }

    /// Takes a line if it is part of a comment or an attribute.
    pub fn take_line(&mut self, line: &str) -> bool {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            let text = text.trim();
            let blank = if self.about.is_empty() || text.is_empty() {
                ""
            } else {
                " "
            };
            self.about = format!("{}{blank}{text}", self.about);
        } else if line.starts_with("#[") {
            self.attributes.push_str(line);
        } else {
            return false;
        }
        true
    }
}

/// Parses the fields of a struct, or of a variant. In a request, a value may be left out when it has
/// a default.
pub fn parse_fields(body: &[&str], is_request: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut above = ItemPrelude::default();
    for line in body {
        if above.take_line(line) {
            continue;
        }
        let line = line.trim().trim_start_matches("pub ").trim_end_matches(',');
        if let Some((name, kind)) = line.split_once(": ") {
            let has = |attribute: &str| above.attributes.contains(attribute);
            let renamed = above.attributes.split("rename = \"").nth(1);
            let renamed = renamed.and_then(|rest| rest.split('"').next());
            let has_default = has("default") || kind.starts_with("Option<");
            fields.push(Field {
                name: renamed.unwrap_or(name).to_owned(),
                kind: kind.to_owned(),
                about: above.about.clone(),
                optional: has("skip_serializing_if")
                    || (is_request && has_default && !has("deserialize_with")),
                flatten: has("flatten"),
            });
        }
        above = ItemPrelude::default();
    }
    fields
}

/// Parses an enum of words. Returns `None` for an enum whose variants have fields.
fn parse_enum(body: &[&str], about: &str) -> Option<Shape> {
    let words: Vec<&str> = body
        .iter()
        .map(|line| line.trim().trim_end_matches(','))
        .filter(|line| !line.starts_with("///") && !line.starts_with("#["))
        .collect();
    let plain = |word: &&str| word.chars().all(char::is_alphanumeric);
    let about = about.to_owned();
    let words = words
        .iter()
        .all(plain)
        .then(|| words.iter().map(|word| to_kebab(word)).collect());
    words.map(|words| Shape::Words { about, words })
}

/// Returns the word as serde writes it.
pub fn to_kebab(word: &str) -> String {
    let mut text = String::new();
    for (at, c) in word.char_indices() {
        if c.is_uppercase() && at > 0 {
            text.push('-');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// Checks a value against a schema of the document. A property that the schema does not have is an
/// error, so that nothing is printed without being documented.
pub fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let schema = document
            .pointer(pointer)
            .ok_or(format!("{reference} is missing"))?;
        return check(document, schema, value, place);
    }
    if schema["type"] == json!(ANY_TYPE) {
        return Ok(());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices
            .iter()
            .any(|choice| check(document, choice, value, place).is_ok());
        return fits
            .then_some(())
            .ok_or(format!("{place}: {value} fits none of {schema}"));
    }
    let right = match schema["type"].as_str() {
        Some("object") => return check_object(document, schema, value, place),
        Some("array") => {
            let items = value
                .as_array()
                .ok_or(format!("{place}: {value} is no list"))?;
            let mut numbered = items.iter().enumerate();
            return numbered.try_for_each(|(number, item)| {
                check(
                    document,
                    &schema["items"],
                    item,
                    &format!("{place}[{number}]"),
                )
            });
        }
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || (schema["minimum"].is_null() && value.is_i64()),
        Some("null") => value.is_null(),
        _ => schema["enum"]
            .as_array()
            .is_some_and(|words| words.contains(value)),
    };
    right
        .then_some(())
        .ok_or(format!("{place}: {value} is not {schema}"))
}

fn check_object(
    document: &Value,
    schema: &Value,
    value: &Value,
    place: &str,
) -> Result<(), String> {
    let object = value
        .as_object()
        .ok_or(format!("{place}: {value} is no object"))?;
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(format!("{place}: {name} is missing"));
        }
    }
    for (name, value) in object {
        let of_name = match &schema["properties"][name] {
            Value::Null => &schema["additionalProperties"],
            known => known,
        };
        if of_name.is_null() {
            return Err(format!("{place}: {name} is not documented"));
        }
        check(document, of_name, value, &format!("{place}.{name}"))?;
    }
    Ok(())
}

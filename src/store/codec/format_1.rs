//! Converts facts of log format 1 to the current format. Format 1 kept sentences where the current
//! format keeps codes, and did not separate what may name a person.

use serde_json::{Map, Value};

use super::text::RecordError;

/// The reason that the first logs gave for a refund that forgives an absence.
const FORGIVEN_ABSENCE_SENTENCE: &str = "the booker did not come; forgiven";

/// Converts the list of facts of a line to the current format.
///
/// # Errors
/// When the text is not a list of objects. Everything else that does not fit is refused when the
/// result is read.
pub fn upgrade(facts: &[u8]) -> Result<Vec<u8>, RecordError> {
    let mut facts: Vec<Map<String, Value>> = serde_json::from_slice(facts)?;
    for fact in &mut facts {
        for (kind, fields) in fact.iter_mut() {
            if let Value::Object(fields) = fields {
                upgrade_fact(kind, fields);
            }
        }
    }
    Ok(serde_json::to_vec(&facts)?)
}

fn upgrade_fact(kind: &str, fields: &mut Map<String, Value>) {
    match kind {
        "aliased" | "unaliased" => move_to_personal(fields, &[("alias", "alias")]),
        "described" => move_to_personal(
            fields,
            &[
                ("tier", "tier"),
                ("tags", "tags"),
                ("attributes", "attributes"),
            ],
        ),
        "frozen" => {
            fields.insert("frozen".to_owned(), fields.contains_key("why").into());
            move_to_personal(fields, &[("why", "text")]);
        }
        "pinned" => {
            fields.insert("set".to_owned(), fields.contains_key("hash").into());
            move_to_personal(fields, &[("hash", "hash")]);
        }
        "grant" | "revoke" | "reviewed" | "resolved" => {
            move_to_personal(fields, &[("reason", "text")])
        }
        "unresolved" => move_to_personal(fields, &[("detail", "text")]),
        "void" | "closed" => replace_sentence_by_code(fields, false),
        "refund" => {
            let forgives_absence = fields.remove("forgives") == Some(Value::Bool(true));
            replace_sentence_by_code(fields, forgives_absence);
        }
        "move" => {
            fields.remove("reason");
        }
        "decided" => upgrade_request(fields),
        "called" => {
            if let Some(Value::Object(call)) = fields.get_mut("call") {
                upgrade_call(call);
            }
        }
        _ => {}
    }
}

/// Moves fields into `personal`, under the names that they have there.
fn move_to_personal(fields: &mut Map<String, Value>, names: &[(&str, &str)]) {
    let mut personal = Map::new();
    for (from, to) in names {
        if let Some(value) = fields.remove(*from) {
            personal.insert((*to).to_owned(), value);
        }
    }
    if !personal.is_empty() {
        fields.insert("personal".to_owned(), personal.into());
    }
}

/// Replaces a reason's sentence by a code. The sentence is kept under the code `words`, except for
/// a forgiven absence, the only sentence that had a meaning.
fn replace_sentence_by_code(fields: &mut Map<String, Value>, forgives_absence: bool) {
    let Some(reason) = fields.get_mut("reason") else {
        return;
    };
    let sentence = reason.take();
    *reason = if forgives_absence || sentence == FORGIVEN_ABSENCE_SENTENCE {
        serde_json::json!({"code": "absence-forgiven"})
    } else {
        serde_json::json!({"code": "words", "personal": {"words": sentence}})
    };
}

fn upgrade_request(fields: &mut Map<String, Value>) {
    move_to_personal(
        fields,
        &[("title", "title"), ("booker", "booker"), ("text", "text")],
    );
    let reasons = take_texts(fields, "reasons", "text");
    if let Some(Value::Array(reasons)) = fields.get_mut("reasons") {
        for reason in reasons {
            // A reason with an unknown field stays as it is, and is refused when it is read.
            let code = reason.as_object_mut().filter(|reason| reason.len() == 1);
            if let Some(code) = code.and_then(|reason| reason.remove("code")) {
                *reason = code;
            }
        }
    }
    let findings = take_texts(fields, "findings", "detail");
    let mut origin = None;
    if let Some(Value::Object(pin)) = fields.get_mut("pin") {
        origin = pin.remove("origin");
    }
    if let Some(Value::Object(review)) = fields.get_mut("review") {
        move_to_personal(review, &[("reason", "text")]);
    }
    if let Some(Value::Array(calls)) = fields.get_mut("calls") {
        for call in calls.iter_mut().filter_map(Value::as_object_mut) {
            upgrade_call(call);
        }
    }
    let personal = fields
        .entry("personal")
        .or_insert_with(|| Map::new().into());
    if let Value::Object(personal) = personal {
        let texts = [("reasons", reasons), ("findings", findings)];
        for (name, texts) in texts.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            personal.insert(name.to_owned(), texts.into());
        }
        if let Some(origin) = origin {
            personal.insert("origin".to_owned(), origin);
        }
    }
}

/// Removes the text from each object of a list, and returns the texts.
fn take_texts(fields: &mut Map<String, Value>, list: &str, text: &str) -> Vec<Value> {
    let Some(Value::Array(list)) = fields.get_mut(list) else {
        return Vec::new();
    };
    let objects = list.iter_mut().filter_map(Value::as_object_mut);
    objects.filter_map(|object| object.remove(text)).collect()
}

/// Converts the two fields that recorded how a call ended to one. The first logs only recorded
/// whether the call was answered; an unanswered call counts as sent at the time of its record.
fn upgrade_call(call: &mut Map<String, Value>) {
    match call.remove("answered") {
        Some(Value::Bool(true)) => {
            call.insert("end".to_owned(), "answered".into());
        }
        Some(Value::Bool(false)) => {
            let end = call.entry("end").or_insert_with(|| "unanswered".into());
            if *end == "unanswered"
                && !call.contains_key("sent")
                && let Some(at) = call.get("at").cloned()
            {
                call.insert("sent".to_owned(), at);
            }
        }
        // A malformed value is refused when it is read.
        malformed => {
            call.insert("answered".to_owned(), malformed.unwrap_or_default());
        }
    }
    move_to_personal(call, &[("text", "text")]);
}

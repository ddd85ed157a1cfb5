//! Reads the fields of a body.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::call::V2Call;
use super::error::NestError;
use crate::domain::time::{Time, truncate_to_millis};
use crate::sandbox::http_types::HttpResponse;

/// Parses the body of cancel and reschedule, which may have only known fields.
pub fn parse_fields(
    call: &V2Call<'_>,
    body: Option<&Value>,
    allowed_fields: &[&str],
) -> Result<Map<String, Value>, HttpResponse> {
    let Some(Value::Object(fields)) = body else {
        return Err(call
            .errors
            .nest_error(NestError::BadRequest, "Body is required"));
    };
    let unknown: Vec<String> = fields
        .keys()
        .filter(|name| !allowed_fields.contains(&name.as_str()))
        .map(|name| format!("{name} property is wrong,property {name} should not exist"))
        .collect();
    if unknown.is_empty() {
        return Ok(fields.clone());
    }
    Err(call
        .errors
        .nest_error(NestError::BadRequest, &unknown.join(",")))
}

/// Returns a field that holds a text; `None` if it is missing or holds something else.
pub fn text_field(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Parses an instant (RFC 3339), cut to milliseconds; `None` for anything else.
pub fn parse_instant(value: &Value) -> Option<Time> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(truncate_to_millis(at.with_timezone(&Utc)))
}

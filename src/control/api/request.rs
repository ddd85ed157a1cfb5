//! From a request to a command, and from a command to a request.

use hyper::Method;
use serde_json::{Map, Value};

use super::answer::HttpRefusal;
use super::route::{Route, RouteKind};
use super::variant::{read_variant, write_variant};
use crate::control::protocol::Command;

/// The only media type of bodies.
pub const JSON: &str = "application/json";

/// What a request has besides its method and its path.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestParts<'a> {
    /// The query, without the question mark.
    pub query: Option<&'a str>,
    /// The value of the header `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Builds the command that a request to this route means.
///
/// # Errors
/// Returns the refusal to send to the client.
pub fn read_command(route: &Route, parts: RequestParts<'_>) -> Result<Command, HttpRefusal> {
    let query = parts.query.unwrap_or_default();
    let command = match route.kind {
        RouteKind::Read if !parts.body.is_empty() => {
            Err("GET takes the fields from the query, and no body".to_owned())
        }
        RouteKind::Read => {
            let pairs = form_urlencoded::parse(query.as_bytes());
            read_variant(route.command, serde_urlencoded::Deserializer::new(pairs))
        }
        RouteKind::Change if !query.is_empty() => {
            Err("POST takes the fields from a JSON object in the body, and no query".to_owned())
        }
        RouteKind::Change if parts.body.is_empty() => read_object(route, b"{}"),
        RouteKind::Change => {
            check_content_type(parts.content_type)?;
            read_object(route, parts.body)
        }
    };
    command.map_err(|why| {
        let (method, path) = (route.method(), route.path);
        HttpRefusal::usage(format!("{method} {path}: {why}"))
    })
}

/// Refuses bodies that are said to be something else than JSON, such as the forms that curl sends
/// when nothing else is said.
fn check_content_type(content_type: Option<&str>) -> Result<(), HttpRefusal> {
    let media_type = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    match media_type {
        Some(media_type) if media_type.eq_ignore_ascii_case(JSON) => Ok(()),
        Some(media_type) => Err(HttpRefusal::wrong_content_type(format!(
            "the body is said to be {media_type:?}: send JSON, with the header Content-Type: {JSON}"
        ))),
        None => Err(HttpRefusal::wrong_content_type(format!(
            "the header Content-Type is missing: send JSON, with the header Content-Type: {JSON}"
        ))),
    }
}

fn read_object(route: &Route, body: &[u8]) -> Result<Command, String> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("the body is not a JSON object".to_owned());
    }
    let mut fields = serde_json::Deserializer::from_slice(body);
    let command = read_variant(route.command, &mut fields)?;
    fields.end().map_err(|error| error.to_string())?;
    Ok(command)
}

/// A command as a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRequest {
    /// The route of the command.
    pub route: &'static Route,
    /// The path, with the query.
    pub target: String,
    /// The body; empty for a request that only reads.
    pub body: String,
}

impl CommandRequest {
    /// Returns the request that means the command.
    ///
    /// # Panics
    /// Panics for a command without a route: a defect, which a test of the table finds.
    pub fn new(command: &Command) -> Self {
        let (mut text, name, fields) = write_variant(command);
        let route = Route::of_command(&name).expect("every command has a route");
        let target = route.path.to_owned();
        match route.kind {
            RouteKind::Read => Self {
                route,
                target: target + &query_of(&text[fields]),
                body: String::new(),
            },
            RouteKind::Change => {
                text.truncate(fields.end);
                text.drain(..fields.start);
                Self {
                    route,
                    target,
                    body: text,
                }
            }
        }
    }

    /// Returns the method of the request.
    pub fn method(&self) -> Method {
        self.route.method()
    }
}

/// Returns the fields as a query with its question mark. A field without a value is left out.
fn query_of(fields: &str) -> String {
    let fields: Map<String, Value> =
        serde_json::from_str(fields).expect("the fields of a command are an object");
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        match value {
            Value::Null => {}
            Value::String(text) => {
                query.append_pair(name, text);
            }
            other => {
                query.append_pair(name, &other.to_string());
            }
        }
    }
    let query = query.finish();
    if query.is_empty() {
        query
    } else {
        format!("?{query}")
    }
}

#[cfg(test)]
mod tests;

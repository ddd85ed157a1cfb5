//! The shapes in which v2 says no (`calcom/api.md` 1.5): the envelope with or without details, and
//! the raw form of errors that Nest does not know.

use serde_json::{Value, json};

use crate::domain::time::Time;
use crate::sandbox::call::{Request, Response};
use crate::sandbox::moment;

/// An error of Nest's: status, class name, phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nest {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
}

impl Nest {
    fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Nest::BadRequest => (400, "BadRequestException", "Bad Request"),
            Nest::Unauthorized => (401, "UnauthorizedException", "Unauthorized"),
            Nest::Forbidden => (403, "ForbiddenException", "Forbidden"),
            Nest::NotFound => (404, "NotFoundException", "Not Found"),
        }
    }
}

/// Writes the errors that answer one request: each repeats its path and the time.
#[derive(Debug, Clone)]
pub struct Errors {
    path: String,
    now: Time,
}

impl Errors {
    pub fn of(request: &Request, now: Time) -> Self {
        Errors {
            path: request.target(),
            now,
        }
    }

    /// The path and query that errors repeat.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn nest(&self, error: Nest, message: &str) -> Response {
        let (status, code, phrase) = error.words();
        let details = json!({"message": message, "error": phrase, "statusCode": status});
        self.envelope(status, code, message, Some(details))
    }

    /// What the shared web handlers throw: no details.
    pub fn trpc(&self, status: u16, message: &str) -> Response {
        self.envelope(status, "TRPCError", message, None)
    }

    /// Failed validation of parameters or body.
    pub fn invalid(&self, errors: Vec<Value>) -> Response {
        let details = json!({ "errors": errors });
        let message = "Bad Request Exception";
        self.envelope(400, "BadRequestException", message, Some(details))
    }

    pub fn throttled(&self) -> Response {
        let text = "CustomThrottlerGuard - Too many requests. Please try again later.";
        self.envelope(429, "ThrottlerException", text, Some(Value::from(text)))
    }

    /// What Zod refuses: the place and the text.
    pub fn unfit(&self, text: &str) -> Response {
        self.envelope(400, "BAD_REQUEST", text, None)
    }

    /// What falls over inside.
    pub fn fell_over(&self) -> Response {
        self.envelope(500, "INTERNAL_SERVER_ERROR", "Internal server error", None)
    }

    pub fn database_down(&self) -> Response {
        let text = "There was an error, please try again later.";
        self.envelope(500, "INTERNAL_SERVER_ERROR", text, None)
    }

    fn envelope(&self, status: u16, code: &str, message: &str, details: Option<Value>) -> Response {
        let mut error = json!({"code": code, "message": message});
        if let Some(details) = details {
            error["details"] = details;
        }
        let body = json!({
            "status": "error",
            "timestamp": moment::text(self.now),
            "path": self.path,
            "error": error,
        });
        Response::json(status, &body)
    }
}

/// One entry of a validation error.
pub fn entry(target: &Value, value: Value, property: &str, constraints: Value) -> Value {
    json!({
        "target": target,
        "value": value,
        "property": property,
        "children": [],
        "constraints": constraints,
    })
}

/// Cal.com's own errors and unknown ones: no envelope.
pub fn raw(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"statusCode": status, "message": message}))
}

//! The shapes of v2's errors (`calcom/api.md` 1.5): the envelope with or without details, and the
//! raw form of errors that Nest does not know.

use serde_json::{Value, json};

use crate::domain::time::Time;
use crate::sandbox::http_types::{HttpRequest, HttpResponse};
use crate::sandbox::relative_time;

/// An error of Nest: status, class name, phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NestError {
    /// 400: the request is invalid.
    BadRequest,
    /// 401: the credential is missing or invalid.
    Unauthorized,
    /// 403: the user may not do this.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
}

impl NestError {
    fn status_and_phrase(self) -> (u16, &'static str, &'static str) {
        match self {
            NestError::BadRequest => (400, "BadRequestException", "Bad Request"),
            NestError::Unauthorized => (401, "UnauthorizedException", "Unauthorized"),
            NestError::Forbidden => (403, "ForbiddenException", "Forbidden"),
            NestError::NotFound => (404, "NotFoundException", "Not Found"),
        }
    }
}

/// Writes the errors that answer one request: each repeats the request's path and the time.
#[derive(Debug, Clone)]
pub struct ErrorWriter {
    path: String,
    now: Time,
}

impl ErrorWriter {
    /// Returns the writer for the errors of one request.
    pub fn new(request: &HttpRequest, now: Time) -> Self {
        ErrorWriter {
            path: request.target(),
            now,
        }
    }

    /// Returns the path and query that errors repeat.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns an error with this message, which the details repeat.
    pub fn nest_error(&self, error: NestError, message: &str) -> HttpResponse {
        let (status, code, phrase) = error.status_and_phrase();
        let details = json!({"message": message, "error": phrase, "statusCode": status});
        self.envelope(status, code, message, Some(details))
    }

    /// Returns an error as the shared web handlers throw it, without details.
    pub fn trpc_error(&self, status: u16, message: &str) -> HttpResponse {
        self.envelope(status, "TRPCError", message, None)
    }

    /// Returns the error of a failed validation of parameters or body.
    pub fn validation_error(&self, errors: Vec<Value>) -> HttpResponse {
        let details = json!({ "errors": errors });
        let message = "Bad Request Exception";
        self.envelope(400, "BadRequestException", message, Some(details))
    }

    /// Returns the throttler's refusal (429).
    pub fn rate_limited(&self) -> HttpResponse {
        let text = "CustomThrottlerGuard - Too many requests. Please try again later.";
        self.envelope(429, "ThrottlerException", text, Some(Value::from(text)))
    }

    /// Returns an error as Zod reports it: the place and the text.
    pub fn zod_error(&self, text: &str) -> HttpResponse {
        self.envelope(400, "BAD_REQUEST", text, None)
    }

    /// Returns the answer to an internal error.
    pub fn internal_error(&self) -> HttpResponse {
        self.envelope(500, "INTERNAL_SERVER_ERROR", "Internal server error", None)
    }

    /// Returns the error of a server whose database cannot be reached.
    pub fn database_down(&self) -> HttpResponse {
        let text = "There was an error, please try again later.";
        self.envelope(500, "INTERNAL_SERVER_ERROR", text, None)
    }

    fn envelope(
        &self,
        status: u16,
        code: &str,
        message: &str,
        details: Option<Value>,
    ) -> HttpResponse {
        let mut error = json!({"code": code, "message": message});
        if let Some(details) = details {
            error["details"] = details;
        }
        let body = json!({
            "status": "error",
            "timestamp": relative_time::format_time(self.now),
            "path": self.path,
            "error": error,
        });
        HttpResponse::json(status, &body)
    }
}

/// Returns one entry of a validation error.
pub fn validation_entry(target: &Value, value: Value, property: &str, constraints: Value) -> Value {
    json!({
        "target": target,
        "value": value,
        "property": property,
        "children": [],
        "constraints": constraints,
    })
}

/// Returns an error of Cal.com's own, or an unknown one: no envelope.
pub fn plain_error(status: u16, message: &str) -> HttpResponse {
    HttpResponse::json(status, &json!({"statusCode": status, "message": message}))
}

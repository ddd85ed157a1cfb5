//! Answers as HTTP carries them: the view of a result with status 200, or a refusal with the status
//! that fits.

use hyper::StatusCode;
use hyper::body::Bytes;

use super::route::Route;
use super::variant::{read_variant, write_variant};
use crate::control::exit;
use crate::control::protocol::{CommandResult, Refusal, SocketResponse};

/// The refusal of a request, with the HTTP status that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRefusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// The body of the answer.
    pub refusal: Refusal,
}

impl HttpRefusal {
    /// Refuses a request that cannot be understood.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, text)
    }

    /// Refuses a body that is not said to be JSON.
    pub fn wrong_content_type(text: impl Into<String>) -> Self {
        Self::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    }

    /// Refuses a request that does not keep to the API, with this status.
    pub fn with_status(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            refusal: Refusal::usage(text),
        }
    }

    /// Refuses a path that does not exist.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::failed("not-found", text)
    }

    /// Refuses a client of another version.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::failed("conflict", text)
    }

    /// Refuses a command because of a defect of this program.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::failed("internal", text)
    }

    /// Refuses a command that cannot be given to the daemon, or not now.
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self::from(Refusal {
            exit: exit::UNREACHABLE,
            code: "unreachable".to_owned(),
            text: text.into(),
        })
    }

    fn failed(code: &str, text: impl Into<String>) -> Self {
        Self::from(Refusal {
            exit: exit::FAILED,
            code: code.to_owned(),
            text: text.into(),
        })
    }

    /// Returns the body of the answer.
    ///
    /// # Panics
    /// Never: a refusal is two texts and a number.
    pub fn to_body(&self) -> Bytes {
        let mut text = serde_json::to_vec(&self.refusal).expect("two texts and a number");
        text.push(b'\n');
        text.into()
    }
}

impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: status_of(&refusal.code),
            refusal,
        }
    }
}

/// Returns the HTTP status for the code of a refusal.
fn status_of(code: &str) -> StatusCode {
    match code {
        "usage" => StatusCode::BAD_REQUEST,
        "credential" | "permission" => StatusCode::FORBIDDEN,
        "not-found" => StatusCode::NOT_FOUND,
        "conflict" | "refused" | "configuration" | "short-of-credit" | "reference-used"
        | "similar-name" | "already-started" | "already-decided" => StatusCode::CONFLICT,
        "unreachable" | "busy" | "store-locked" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the body of the answer to a request of the route: the view on one line, at most `limit`
/// bytes.
///
/// # Errors
/// Returns the refusal of the daemon, and a refusal for an answer that is too long or belongs to
/// another route.
pub fn write_answer(
    route: &Route,
    response: SocketResponse,
    limit: usize,
) -> Result<Bytes, HttpRefusal> {
    let result = match response {
        SocketResponse::Ok(result) => result,
        SocketResponse::Err(refusal) => return Err(refusal.into()),
    };
    let (mut text, name, fields) = write_variant(&*result);
    if name != route.result {
        let (path, expected) = (route.path, route.result);
        return Err(HttpRefusal::internal(format!(
            "the daemon returned {name:?} for {path}, which returns {expected:?}: a defect"
        )));
    }
    if fields.len() >= limit {
        return Err(HttpRefusal::usage(format!(
            "the answer is longer than {limit} bytes; request less (--limit, --since)"
        )));
    }
    text.truncate(fields.end);
    text.push('\n');
    Ok(Bytes::from(text).slice(fields.start..))
}

/// Reads the body of an answer to a request of the route.
///
/// # Errors
/// Returns why the body is not the result that the route returns.
pub fn read_result(route: &Route, body: &[u8]) -> Result<CommandResult, String> {
    let mut fields = serde_json::Deserializer::from_slice(body);
    let result = read_variant(route.result, &mut fields)?;
    fields.end().map_err(|error| error.to_string())?;
    Ok(result)
}

/// Reads the body of an answer whose status is not 200.
///
/// # Errors
/// Returns why the body is not a refusal.
pub fn read_refusal(body: &[u8]) -> Result<Refusal, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::SCHEMA;
    use crate::control::protocol::ledger::HeadView;

    fn head(hash: &str) -> SocketResponse {
        SocketResponse::Ok(Box::new(CommandResult::Head(HeadView {
            schema: SCHEMA,
            sequence: 3,
            hash: hash.to_owned(),
        })))
    }

    #[test]
    fn an_answer_is_the_view_on_one_line_and_can_be_read_again() {
        let route = Route::of_path("/v1/ledger/head").unwrap();
        let body = write_answer(route, head("ab"), 1_000).unwrap();
        let text = "{\"schema\":1,\"sequence\":3,\"hash\":\"ab\"}\n";
        assert_eq!(str::from_utf8(&body), Ok(text));
        let read = read_result(route, &body).unwrap();
        assert_eq!(SocketResponse::Ok(Box::new(read)), head("ab"));
        assert_eq!(write_answer(route, head("ab"), text.len()).unwrap(), body);
        let longer = write_answer(route, head("ab"), text.len() - 1).unwrap_err();
        assert!(longer.refusal.text.contains("longer than"), "{longer:?}");
        let other = Route::of_path("/v1/status").unwrap();
        let refused = write_answer(other, head("ab"), 1_000).unwrap_err();
        assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn every_code_of_a_refusal_has_a_status() {
        let rows = [
            ("usage", 400),
            ("credential", 403),
            ("permission", 403),
            ("not-found", 404),
            ("conflict", 409),
            ("refused", 409),
            ("configuration", 409),
            ("short-of-credit", 409),
            ("reference-used", 409),
            ("similar-name", 409),
            ("already-started", 409),
            ("already-decided", 409),
            ("store-locked", 503),
            ("busy", 503),
            ("unreachable", 503),
            ("store", 500),
            ("internal", 500),
            ("failed", 500),
        ];
        for (code, status) in rows {
            let refusal = Refusal {
                exit: exit::FAILED,
                code: code.to_owned(),
                text: "no".to_owned(),
            };
            let refused = HttpRefusal::from(refusal.clone());
            assert_eq!(refused.status.as_u16(), status, "{code}");
            assert_eq!(read_refusal(&refused.to_body()), Ok(refusal));
        }
    }
}

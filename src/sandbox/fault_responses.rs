//! What a fault makes of an answer: the answer in place of the call's, and the changes to an answer
//! whose change is made.

use serde_json::json;

use super::api_route::ApiRoute;
use super::faults::{Fault, Stage};
use super::http_types::{AnswerDelivery, HttpRequest, HttpResponse};
use super::v2::error::{ErrorWriter, plain_error};
use super::world::World;
use super::{v1, v2};
use crate::domain::dialect::Dialect;
use crate::domain::time::Time;

/// Returns the answer of a fault that replaces the whole call.
pub(super) fn respond_without_handling(
    world: &mut World,
    now: Time,
    request: &HttpRequest,
    route: &ApiRoute,
    fault: Option<&Fault>,
) -> Option<(HttpResponse, AnswerDelivery)> {
    let response = match fault? {
        Fault::Error {
            stage: Stage::Before,
        } => internal_error(route.dialect),
        Fault::BadGateway {
            stage: Stage::Before,
        } => bad_gateway(),
        Fault::HangUp {
            stage: Stage::Before,
        } => return Some((HttpResponse::empty(500), AnswerDelivery::Disconnected)),
        Fault::DatabaseDown => match route.dialect {
            Dialect::V2 => {
                v2::route::database_down_response(world, &ErrorWriter::new(request, now))
            }
            Dialect::V1 => v1::route::database_down_response(),
        },
        Fault::Limited { reset } => match route.dialect {
            Dialect::V2 => {
                v2::route::rate_limited_response(world, &ErrorWriter::new(request, now), *reset)
            }
            Dialect::V1 => v1::route::rate_limited_response(now, *reset),
        },
        Fault::Redirect { to } => HttpResponse::empty(307).with_header("Location", to.clone()),
        Fault::EchoKey => echo_credential(request, route.dialect),
        Fault::Error { .. }
        | Fault::BadGateway { .. }
        | Fault::HangUp { .. }
        | Fault::Truncated
        | Fault::Slow { .. }
        | Fault::Flood
        | Fault::Drip { .. }
        | Fault::Race
        | Fault::Stale
        | Fault::Shuffle
        | Fault::Rows { .. } => return None,
    };
    Some((response, AnswerDelivery::Whole))
}

/// Returns the answer of a fault that replaces the second step.
pub(super) fn interrupt_second_step(
    dialect: Dialect,
    fault: Option<&Fault>,
) -> Option<(HttpResponse, AnswerDelivery)> {
    let fault = fault.filter(|fault| fault.stage() == Some(Stage::Between))?;
    match fault {
        Fault::Error { .. } => Some((internal_error(dialect), AnswerDelivery::Whole)),
        Fault::BadGateway { .. } => Some((bad_gateway(), AnswerDelivery::Whole)),
        Fault::HangUp { .. } => Some((HttpResponse::empty(500), AnswerDelivery::Disconnected)),
        // Other faults of this stage only delay.
        _ => None,
    }
}

/// Applies the fault to an answer whose change is made.
pub(super) fn apply_response_fault(
    request: &HttpRequest,
    route: &ApiRoute,
    response: HttpResponse,
    fault: Option<&Fault>,
) -> (HttpResponse, AnswerDelivery) {
    let Some(fault) = fault else {
        return (response, AnswerDelivery::Whole);
    };
    // A fault of another stage has occurred already, or the call never reached that stage.
    if fault.stage().is_some_and(|stage| stage != Stage::After) {
        return (response, AnswerDelivery::Whole);
    }
    match fault {
        Fault::Error { .. } => (internal_error(route.dialect), AnswerDelivery::Whole),
        Fault::BadGateway { .. } => (bad_gateway(), AnswerDelivery::Whole),
        Fault::HangUp { .. } => (response, AnswerDelivery::Disconnected),
        Fault::Truncated => (response, AnswerDelivery::Truncated),
        Fault::Slow { ms, .. } => (response, AnswerDelivery::Delayed(*ms)),
        Fault::Flood => (response, AnswerDelivery::Flood),
        Fault::Drip { ms } => (response, AnswerDelivery::Drip(*ms)),
        Fault::EchoKey => (
            echo_credential(request, route.dialect),
            AnswerDelivery::Whole,
        ),
        Fault::DatabaseDown
        | Fault::Limited { .. }
        | Fault::Redirect { .. }
        | Fault::Race
        | Fault::Stale
        | Fault::Shuffle
        | Fault::Rows { .. } => (response, AnswerDelivery::Whole),
    }
}

/// Returns the answer to an error of the server itself.
pub(super) fn internal_error(dialect: Dialect) -> HttpResponse {
    match dialect {
        Dialect::V2 => plain_error(500, "Internal server error"),
        Dialect::V1 => HttpResponse::json(500, &json!({"message": "Something went wrong"})),
    }
}

fn bad_gateway() -> HttpResponse {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
        <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
    HttpResponse::html(502, page)
}

/// Repeats the presented credential in the message of an error: clients must not pass it on.
fn echo_credential(request: &HttpRequest, dialect: Dialect) -> HttpResponse {
    match dialect {
        Dialect::V2 => {
            let credential = request.header_value("authorization").unwrap_or("nothing");
            plain_error(500, &format!("cannot handle Authorization: {credential}"))
        }
        Dialect::V1 => {
            let text = format!("cannot handle {}", request.target());
            HttpResponse::json(500, &json!({ "message": text }))
        }
    }
}

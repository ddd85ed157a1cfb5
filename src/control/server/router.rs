//! The router of the API: one handler for all routes of the table, and the limits of a whole
//! request as layers around it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Extension, FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::connection::Client;
use super::{ReceivedCommand, ServerLimits};
use crate::control::api::answer::{HttpRefusal, write_answer};
use crate::control::api::request::{JSON, RequestParts, read_command};
use crate::control::api::route::{
    ACTOR_HEADER, OPENAPI, OPENAPI_PATH, ROUTES, Route, RouteKind, SCHEMA_HEADER,
};
use crate::control::command_sender::{self, CommandSender, Interface, MAX_ACTOR_NAME};
use crate::control::protocol::{Command, SCHEMA, SocketResponse};

/// What every request needs.
#[derive(Debug)]
struct Api {
    limits: ServerLimits,
    commands: mpsc::WeakSender<ReceivedCommand>,
    /// The commands that may be carried out at the same time.
    turns: Semaphore,
}

/// Builds the router. Every request of a route passes the layers from the last to the first: the
/// client's version, the whole request within its limits, and a turn among the commands.
pub(super) fn build(limits: ServerLimits, commands: mpsc::WeakSender<ReceivedCommand>) -> Router {
    let api = Arc::new(Api {
        limits,
        commands,
        turns: Semaphore::new(limits.commands),
    });
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.kind {
            RouteKind::Read => MethodFilter::GET,
            RouteKind::Change => MethodFilter::POST,
        };
        let handler = move |state, client, uri, headers, body| {
            answer_command(route, state, client, uri, headers, body)
        };
        router = router.route(route.path, on(filter, handler));
    }
    router
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            wait_for_turn,
        ))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            receive_request,
        ))
        .layer(DefaultBodyLimit::max(limits.request_bytes))
        .route(OPENAPI_PATH, get(describe))
        .route_layer(middleware::from_fn(check_version))
        .method_not_allowed_fallback(refuse_method)
        .fallback(refuse_path)
        .layer(middleware::map_response(add_version))
        .with_state(api)
}

/// Names the version of the shapes in every answer.
async fn add_version(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(SCHEMA_HEADER, HeaderValue::from(SCHEMA));
    response
}

/// Refuses clients of another version before anything else, so that such a client receives a
/// message about the version, and not about fields that this version does not know.
async fn check_version(request: Request, next: Next) -> Result<Response, HttpRefusal> {
    if let Some(version) = request.headers().get(SCHEMA_HEADER)
        && version.as_bytes() != SCHEMA.to_string().as_bytes()
    {
        return Err(HttpRefusal::conflict(format!(
            "the daemon uses version {SCHEMA} of the control protocol and the command uses \
             version {}; restart the daemon after an update, so that both are the same maitred",
            String::from_utf8_lossy(version.as_bytes())
        )));
    }
    Ok(next.run(request).await)
}

/// Receives the whole body within its limit. The time limit is that of the connection.
async fn receive_request(
    State(api): State<Arc<Api>>,
    Extension(client): Extension<Arc<Client>>,
    request: Request,
    next: Next,
) -> Result<Response, HttpRefusal> {
    let (head, body) = request.into_parts();
    let head_again = head.clone();
    let body = Bytes::from_request(Request::from_parts(head, body), &()).await;
    let body = body.map_err(|rejection| match rejection.status() {
        status @ StatusCode::PAYLOAD_TOO_LARGE => HttpRefusal::with_status(
            status,
            format!(
                "the request is longer than {} bytes; split it",
                api.limits.request_bytes
            ),
        ),
        _ => HttpRefusal::usage("the request ended in the middle of its body"),
    })?;
    client.note_request();
    Ok(next
        .run(Request::from_parts(head_again, Body::from(body)))
        .await)
}

/// Waits until fewer commands are carried out than may be.
async fn wait_for_turn(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, HttpRefusal> {
    let Ok(turn) = timeout(api.limits.command_wait, api.turns.acquire()).await else {
        tracing::warn!(
            commands = api.limits.commands,
            "the control socket has too many clients"
        );
        return Err(HttpRefusal::unreachable(format!(
            "the daemon is answering {} other clients; nothing was done, try again",
            api.limits.commands
        )));
    };
    let response = next.run(request).await;
    drop(turn);
    Ok(response)
}

async fn answer_command(
    route: &'static Route,
    State(api): State<Arc<Api>>,
    Extension(client): Extension<Arc<Client>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, HttpRefusal> {
    let content_type = headers.get(CONTENT_TYPE);
    let command = read_command(
        route,
        RequestParts {
            query: uri.query(),
            content_type: content_type.and_then(|value| value.to_str().ok()),
            body: &body,
        },
    )?;
    drop(body);
    let actor = read_actor(&headers)?;
    tokio::select! {
        biased;
        response = send_to_daemon(&api, &client, command, actor) => {
            let body = write_answer(route, response?, api.limits.response_bytes)?;
            Ok(json(StatusCode::OK, body))
        }
        () = client.left() => {
            tracing::debug!("a client of the control socket left before its answer");
            Err(HttpRefusal::unreachable("the client left"))
        }
    }
}

/// Returns the name that a request gives for its actor.
fn read_actor(headers: &HeaderMap) -> Result<Option<String>, HttpRefusal> {
    let Some(value) = headers.get(ACTOR_HEADER) else {
        return Ok(None);
    };
    let decoded = percent_encoding::percent_decode(value.as_bytes()).decode_utf8();
    let name = decoded
        .ok()
        .and_then(|name| command_sender::parse_actor_name(&name));
    match name {
        Some(name) => Ok(Some(name)),
        None => Err(HttpRefusal::usage(format!(
            "the header {ACTOR_HEADER} must be a name of at most {MAX_ACTOR_NAME} characters, \
             percent-encoded"
        ))),
    }
}

/// Sends the command to the daemon and waits for the answer, however long that takes.
async fn send_to_daemon(
    api: &Api,
    client: &Client,
    command: Command,
    actor: Option<String>,
) -> Result<SocketResponse, HttpRefusal> {
    let (answer, wait) = oneshot::channel();
    let received = ReceivedCommand {
        command,
        sender: CommandSender {
            uid: client.uid(),
            interface: Interface::Socket,
            name: actor,
        },
        answer,
    };
    let sent = match api.commands.upgrade() {
        Some(commands) => commands.send(received).await.is_ok(),
        None => false,
    };
    if !sent {
        let text = "the daemon is stopping; nothing was done";
        return Err(HttpRefusal::unreachable(text));
    }
    wait.await.map_err(|_| {
        HttpRefusal::unreachable(
            "the daemon stopped before it answered; it is unknown whether anything was done",
        )
    })
}

async fn describe() -> Response {
    json(StatusCode::OK, Bytes::from_static(OPENAPI.as_bytes()))
}

async fn refuse_method(method: Method, uri: Uri) -> HttpRefusal {
    let path = uri.path();
    let takes = Route::of_path(path).map_or(Method::GET, Route::method);
    HttpRefusal::with_status(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} takes {takes}, and the request uses {method}"),
    )
}

async fn refuse_path(uri: Uri) -> HttpRefusal {
    let path = uri.path();
    HttpRefusal::not_found(format!(
        "there is no path {path}; GET {OPENAPI_PATH} describes all of them"
    ))
}

fn json(status: StatusCode, body: Bytes) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

impl IntoResponse for HttpRefusal {
    fn into_response(self) -> Response {
        json(self.status, self.to_body())
    }
}

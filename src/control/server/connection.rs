//! One connection: what the client may do until its request has arrived, how long it may take to
//! read the answer, and how its leaving is noticed.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::ServerLimits;
use crate::control::api::answer::HttpRefusal;
use crate::control::api::request::JSON;
use crate::control::api::route::SCHEMA_HEADER;
use crate::control::protocol::SCHEMA;

/// The longest head of a request, in bytes: a query has the fields of one command.
const MAX_HEAD: usize = 64 * 1024;

/// How long a client whose request was refused early may still send the rest. A connection that is
/// closed before could take the answer from a client that is still sending.
const LINGER: Duration = Duration::from_secs(1);

/// The client of a connection, as the router sees it.
#[derive(Debug)]
pub(super) struct Client {
    uid: Option<u32>,
    /// A second handle on the socket, because HTTP has the first one.
    socket: UnixStream,
    phase: watch::Sender<Phase>,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request has not arrived completely.
    Receiving,
    /// The command waits for its turn or is carried out.
    Working,
    /// The answer is being sent.
    Answering,
    /// The answer is being sent although the request has not arrived completely.
    AnsweringEarly,
}

impl Phase {
    fn is_answering(self) -> bool {
        matches!(self, Self::Answering | Self::AnsweringEarly)
    }
}

impl Client {
    fn new(stream: &UnixStream) -> io::Result<Self> {
        let second = std::os::unix::net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
        Ok(Self {
            uid: stream.peer_cred().ok().map(|client| client.uid()),
            socket: UnixStream::from_std(second)?,
            phase: watch::Sender::new(Phase::Receiving),
        })
    }

    /// Returns the client's user, where the system reports it.
    pub(super) fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// Notes that the whole request has arrived.
    pub(super) fn note_request(&self) {
        self.phase.send_replace(Phase::Working);
    }

    fn note_answer(&self) {
        self.phase.send_modify(|phase| {
            *phase = match phase {
                Phase::Working => Phase::Answering,
                _ => Phase::AnsweringEarly,
            }
        });
    }

    /// Completes when the client has closed its socket. A client that only closes its sending side,
    /// or that keeps sending, still waits for its answer. Call this after the request has arrived:
    /// what comes later is not part of any request, and may be lost.
    pub(super) async fn left(&self) {
        if !self.sends_more().await {
            let ready = self.socket.ready(Interest::WRITABLE).await;
            if ready.is_err() || ready.is_ok_and(|ready| ready.is_write_closed()) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Returns true when the client sends more, and false when its input has ended.
    async fn sends_more(&self) -> bool {
        let mut byte = [0];
        self.read(&mut byte).await > 0
    }

    /// Reads until the client stops sending.
    async fn discard_input(&self) {
        let mut buffer = [0; 8 * 1024];
        while self.read(&mut buffer).await > 0 {}
    }

    /// Reads some bytes; returns 0 at the end of the input.
    async fn read(&self, buffer: &mut [u8]) -> usize {
        loop {
            if self.socket.readable().await.is_err() {
                return 0;
            }
            match self.socket.try_read(buffer) {
                Ok(read) => return read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return 0,
            }
        }
    }

    /// Sends a refusal to a client whose request never arrived. HTTP closes such a connection
    /// without an answer, so this one is written here.
    async fn refuse(&self, refusal: &HttpRefusal) {
        let body = refusal.to_body();
        let mut answer = format!(
            "HTTP/1.1 {}\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n{SCHEMA_HEADER}: {SCHEMA}\r\n\
             connection: close\r\n\r\n",
            refusal.status,
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        // The client's socket is empty, so the answer fits without waiting.
        let _ = timeout(LINGER, self.socket.writable()).await;
        if let Err(error) = self.socket.try_write(&answer) {
            tracing::debug!(%error, "a client was disconnected without an answer");
        }
    }
}

/// Why a connection is ended before HTTP ends it.
enum Overdue {
    /// The request did not arrive in time.
    Request,
    /// Another client needs the connection, and no request has arrived.
    Shed,
    /// The client did not read its answer in time.
    Answer,
}

/// Serves one client, from its request to its answer.
pub(super) async fn serve(
    stream: UnixStream,
    limits: ServerLimits,
    router: Router,
    shed: oneshot::Receiver<()>,
) {
    let client = match Client::new(&stream) {
        Ok(client) => Arc::new(client),
        Err(error) => {
            tracing::warn!(%error, "a client of the control socket could not be served");
            return;
        }
    };
    let ended = {
        let client_of_request = Arc::clone(&client);
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            let client = Arc::clone(&client_of_request);
            request.extensions_mut().insert(Arc::clone(&client));
            let answered = router.call(request);
            async move {
                let response: Result<Response<Body>, Infallible> = answered.await;
                client.note_answer();
                response
            }
        });
        // A client that closes only its sending side still gets its answer.
        let connection = http1::Builder::new()
            .keep_alive(false)
            .half_close(true)
            .max_buf_size(MAX_HEAD)
            .max_header_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            // A request that has arrived counts before a time limit.
            biased;
            served = connection => Ok(served),
            overdue = overdue(&client, &limits, shed) => Err(overdue),
        }
    };
    match ended {
        Ok(served) => {
            if let Err(error) = served {
                tracing::debug!(%error, "a client of the control socket broke off");
            }
            if *client.phase.borrow() != Phase::Answering {
                let _ = timeout(LINGER, client.discard_input()).await;
            }
        }
        Err(Overdue::Request) => {
            let text = format!(
                "no whole request came within {} s",
                limits.request_timeout.as_secs_f32()
            );
            let refusal = HttpRefusal::with_status(StatusCode::REQUEST_TIMEOUT, text);
            client.refuse(&refusal).await;
        }
        Err(Overdue::Shed) => {
            let text = "another client needed this connection, which was idle";
            client.refuse(&HttpRefusal::unreachable(text)).await;
        }
        Err(Overdue::Answer) => {
            tracing::warn!("a client of the control socket read too slowly and was cut off");
        }
    }
}

/// Completes when the connection has to end although HTTP would keep it open.
async fn overdue(client: &Client, limits: &ServerLimits, shed: oneshot::Receiver<()>) -> Overdue {
    let mut phases = client.phase.subscribe();
    let shed = async {
        let (signal, ()) = tokio::join!(shed, sleep(limits.idle_grace));
        if signal.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        _ = phases.wait_for(|phase| *phase != Phase::Receiving) => {}
        () = sleep(limits.request_timeout) => return Overdue::Request,
        () = shed => return Overdue::Shed,
    }
    // The sender is the client, which this function borrows.
    let _ = phases.wait_for(|phase| phase.is_answering()).await;
    sleep(limits.response_timeout).await;
    Overdue::Answer
}

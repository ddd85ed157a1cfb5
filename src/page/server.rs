//! Accepts connections to the page, within limits: the number of connections, the bytes of a request,
//! and times. A connection carries one request. When all places are taken, the oldest connection that
//! has not sent its request is closed, so that connections that only stay open keep no client out.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

use super::router::build_router;
use super::service::PageService;

/// Connections at the same time: a browser opens six at most, and few people look after a daemon.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may last, with the daemon's answer and everything else.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes. Browsers send less than two kilobytes.
const MAX_HEAD: usize = 16 * 1024;

/// How long one more client waits for a place.
const PLACE_WAIT: Duration = Duration::from_secs(2);

/// How long the server waits until it tries again to listen on an address that could not be used, for
/// example because another process used the port.
const LISTEN_RETRY: Duration = Duration::from_secs(60);

/// How long the server accepts no client after `accept` failed because the system has no more file
/// descriptors.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long the last clients have, when the server stops, to receive their answers.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Listens on the address of the page, and records whether that worked.
pub async fn listen(service: &PageService) -> Option<TcpListener> {
    let address = service.listen();
    let bound = TcpListener::bind(address).await;
    match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
        Ok((address, listener)) => {
            service.record_listening(address);
            tracing::info!(%address, "the web page is served; `maitred page` prints a link");
            Some(listener)
        }
        Err(error) => {
            let why = format!(
                "the web page is not served, because nothing can listen on {address}: {}; the \
                 daemon works without it and tries again every {} s; free the port, or change \
                 page.listen",
                describe(&error),
                LISTEN_RETRY.as_secs()
            );
            if service.problem().is_none_or(|problem| problem.text != why) {
                tracing::error!("{why}");
            }
            service.record_failure(why);
            None
        }
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process uses the port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "the machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "the user may not use the port".to_owned(),
        _ => error.to_string(),
    }
}

/// Serves the page until `stop`, on the listener or, if there is none yet, as soon as one can be made.
pub async fn serve(
    service: Arc<PageService>,
    first: Option<TcpListener>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let mut first = first;
    let listener = loop {
        if let Some(listener) = first {
            break listener;
        }
        tokio::select! {
            () = &mut stop => return,
            () = sleep(LISTEN_RETRY) => {}
        }
        first = listen(&service).await;
    };
    accept(listener, &build_router(service), stop).await;
}

async fn accept(
    listener: TcpListener,
    router: &Router,
    mut stop: impl Future<Output = ()> + Unpin,
) {
    let mut connections = JoinSet::new();
    let mut idle = IdleConnections::default();
    loop {
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the web page could not be accepted");
                    sleep(ACCEPT_RETRY_PAUSE).await;
                    continue;
                }
            },
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            idle.shed_oldest();
            let free = tokio::select! {
                () = &mut stop => break,
                free = timeout(PLACE_WAIT, connections.join_next()) => free,
            };
            if free.is_err() {
                tracing::warn!("the web page has too many clients");
                continue;
            }
        }
        connections.spawn(serve_connection(stream, router.clone(), idle.add()));
    }
    drop(listener);
    let drain = async { while connections.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_GRACE, drain).await.is_err() {
        connections.shutdown().await;
    }
}

/// The connections that have not sent the head of a request yet, oldest first.
#[derive(Default)]
struct IdleConnections(VecDeque<oneshot::Sender<()>>);

impl IdleConnections {
    /// Adds a connection. Its task drops its end once the request has arrived.
    fn add(&mut self) -> oneshot::Receiver<()> {
        let (shed, shed_signal) = oneshot::channel();
        self.0.retain(|connection| !connection.is_closed());
        self.0.push_back(shed);
        shed_signal
    }

    fn shed_oldest(&mut self) {
        while let Some(connection) = self.0.pop_front() {
            if connection.send(()).is_ok() {
                return;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, shed: oneshot::Receiver<()>) {
    let (idle, is_idle) = oneshot::channel::<()>();
    let idle = Mutex::new(Some(idle));
    let service = service_fn(move |request: Request<Incoming>| {
        // Dropping the sender says that the connection is no longer idle.
        drop(idle.lock().unwrap_or_else(PoisonError::into_inner).take());
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let until_shed = async {
        tokio::select! {
            _ = is_idle => std::future::pending().await,
            Ok(()) = shed => {}
        }
    };
    tokio::select! {
        served = timeout(CONNECTION_TIMEOUT, connection) => match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection to the web page broke off"),
            Err(_) => tracing::debug!("a client of the web page was too slow and was cut off"),
        },
        () = until_shed => tracing::debug!("an idle connection to the web page made room"),
    }
}

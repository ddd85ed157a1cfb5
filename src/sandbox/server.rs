//! The sandbox's HTTP server: HTTP/1.1 with keep-alive, and the faults that need a connection
//! (closed, truncated, slow, endless). It runs on the caller's tokio runtime; the clock is
//! injected.
//!
//! A call that has begun is carried out to its end, whether or not the client waits for the answer,
//! as real servers do.
//!
//! Header names are sent in title case and not in the exact spelling of a real server, because
//! clients must not depend on it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::control;
use super::handler::{HandlerAnswer, RunningCall};
use super::http_types::{AnswerDelivery, HttpRequest, HttpResponse};
use super::server_answer::{Body, to_hyper_response};
use super::world::World;
use crate::domain::time::Clock;

/// Most connections at the same time; more wait in the backlog.
const CONNECTIONS_MAX: usize = 512;
/// The largest body of a request, in bytes: the longest that a test sends is a few kilobytes.
const BODY_MAX: usize = 1 << 20;
/// An idle connection is closed after this long, as real servers do and announce.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// A running sandbox. Dropping the sandbox ends it.
pub struct Sandbox {
    addr: SocketAddr,
    world: Arc<Mutex<World>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Serves the world at this address (port 0: any free port) until stopped or dropped. Use only
    /// loopback addresses, because the control endpoints require no key.
    ///
    /// # Errors
    /// Fails when the address cannot be bound.
    pub async fn start(world: World, clock: Clock, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let world = Arc::new(Mutex::new(world));
        let (stop, stopped) = watch::channel(false);
        let shared = ServerState {
            world: Arc::clone(&world),
            clock,
            stopped: stopped.clone(),
        };
        let task = tokio::spawn(accept(listener, shared, stopped));
        Ok(Sandbox {
            addr,
            world,
            stop,
            task,
        })
    }

    /// Returns the address that the server listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL of both dialects, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns the world, which the server shares: hold its lock only briefly, never across an
    /// await.
    pub fn world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.world)
    }

    /// Returns the world, locked.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        lock_world(&self.world)
    }

    /// Stops listening, closes every connection, and waits for both. Running calls stop where they
    /// are, as when a server dies.
    pub async fn stop(mut self) {
        // The receiver lives in the task; if the task has ended, there is nothing left to stop.
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct ServerState {
    world: Arc<Mutex<World>>,
    clock: Clock,
    stopped: watch::Receiver<bool>,
}

fn lock_world(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // A panic while the lock is held is a defect of the sandbox, and fails the test that causes it.
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: ServerState, mut stopped: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropping the set, at the end or together with this task, ends every connection.
    let mut connections = JoinSet::new();
    loop {
        let seat = Arc::clone(&seats).acquire_owned();
        let accepted = async {
            let seat = seat.await.expect("the semaphore is never closed");
            (seat, listener.accept().await)
        };
        tokio::select! {
            _ = stopped.changed() => return,
            Some(_) = connections.join_next() => {}
            (seat, accepted) = accepted => {
                // No more descriptors, or the peer has already disconnected: the next attempt may
                // succeed.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let state = state.clone();
                connections.spawn(async move {
                    serve(stream, state).await;
                    drop(seat);
                });
            }
        }
    }
}

async fn serve(stream: TcpStream, state: ServerState) {
    // Small answers must not wait for each other; if the option cannot be set, they only take
    // longer.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle_request(state.clone(), request));
    let served = http1::Builder::new()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "sandbox connection ended");
    }
}

/// Answers one request; an error closes the connection without an answer.
async fn handle_request(
    state: ServerState,
    request: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Body>> {
    let Some(request) = read_request(request).await else {
        return Ok(to_hyper_response(
            HttpResponse::empty(413),
            AnswerDelivery::Whole,
        ));
    };
    if request.path.starts_with(control::PREFIX) {
        let mut world = lock_world(&state.world);
        let now = world.now((state.clock)());
        let response = control::handle(&mut world, now, &request);
        return Ok(to_hyper_response(response, AnswerDelivery::Whole));
    }
    let call = RunningCall::begin(&mut lock_world(&state.world), &request);
    if let Some(ms) = call.delay_before() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    // The call runs in its own task, because this task ends with the connection.
    let result = tokio::spawn(run_until_stopped(state, request, call)).await;
    let Ok(Some(HandlerAnswer { response, delivery })) = result else {
        return Err(io::Error::other("the sandbox was stopped"));
    };
    match delivery {
        AnswerDelivery::Disconnected => Err(io::Error::other("hung up, as a fault asks")),
        AnswerDelivery::Delayed(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(to_hyper_response(response, delivery))
        }
        AnswerDelivery::Whole
        | AnswerDelivery::Truncated
        | AnswerDelivery::Flood
        | AnswerDelivery::Drip(_) => Ok(to_hyper_response(response, delivery)),
    }
}

/// Takes all steps of a call; returns `None` when the sandbox was stopped before the call's end.
async fn run_until_stopped(
    state: ServerState,
    request: HttpRequest,
    call: RunningCall,
) -> Option<HandlerAnswer> {
    let mut stopped = state.stopped.clone();
    tokio::select! {
        // An error means that the sandbox has ended, too.
        _ = stopped.changed() => None,
        answer = run_call(&state, &request, call) => Some(answer),
    }
}

async fn run_call(
    state: &ServerState,
    request: &HttpRequest,
    mut call: RunningCall,
) -> HandlerAnswer {
    loop {
        // The lock is released at the end of this block, before anything waits.
        let delay = {
            let mut world = lock_world(&state.world);
            let now = world.now((state.clock)());
            let Some(delay) = call.advance(&mut world, now, request) else {
                return call.finish(&mut world, now, request);
            };
            delay
        };
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
}

/// Returns the request as a value; `None` when its body is too long or incomplete.
async fn read_request(request: hyper::Request<Incoming>) -> Option<HttpRequest> {
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut read = HttpRequest::new(head.method.as_str(), target);
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        read = read.with_header(name.as_str(), &value);
    }
    let body = Limited::new(body, BODY_MAX).collect().await.ok()?;
    Some(read.with_body(body.to_bytes().to_vec()))
}

#[cfg(test)]
mod tests;

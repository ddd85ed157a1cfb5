//! The sockets of the sandbox: HTTP/1.1 with keep-alive, and the faults that only a connection can
//! show (closed, cut short, slow, endless). Runs on the caller's tokio runtime; the clock is
//! injected.
//!
//! Header names go out in title case: exact spelling is not kept, as clients must not care.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::answer::{self, Answer, Delivery};
use super::call::{Request, Response};
use super::control;
use super::world::World;
use crate::domain::time::Clock;

/// Connections at once, at most; more wait in the backlog.
const CONNECTIONS_MAX: usize = 512;
/// A request's body, at most: the longest that a test sends is a few kilobytes.
const BODY_MAX: usize = 1 << 20;
/// An idle connection is closed after this long, as by the real servers, which say so.
const IDLE: Duration = Duration::from_secs(5);
/// What a flood amounts to: more than any client should read.
const FLOOD: usize = 1 << 30;
/// A piece of a flood.
const PIECE: usize = 64 << 10;

type Body = BoxBody<Bytes, io::Error>;

/// A running sandbox. Dropping it ends it.
pub struct Sandbox {
    addr: SocketAddr,
    world: Arc<Mutex<World>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Serves the world at this address (port 0: any free one) until stopped or dropped. Only
    /// loopback addresses belong here: the control endpoints ask for no key.
    ///
    /// # Errors
    /// Where the address cannot be bound.
    pub async fn start(world: World, clock: Clock, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let world = Arc::new(Mutex::new(world));
        let (stop, stopped) = watch::channel(false);
        let shared = Shared {
            world: Arc::clone(&world),
            clock,
        };
        let task = tokio::spawn(accept(listener, shared, stopped));
        Ok(Sandbox {
            addr,
            world,
            stop,
            task,
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of both dialects, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The world, shared with the server: lock it shortly, never across an await.
    pub fn world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.world)
    }

    /// The world, locked.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    /// Stops listening, closes every connection, and waits for both.
    pub async fn stop(mut self) {
        // The receiver lives in the task; where that has ended, there is nothing left to stop.
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
struct Shared {
    world: Arc<Mutex<World>>,
    clock: Clock,
}

fn locked(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // A panic under the lock is a defect of the sandbox, and the test that met it fails by itself.
    world
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Shared, mut stopped: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropping the set, at the end or with this task, ends every connection.
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
                // Out of descriptors or a peer gone at once: the next one may fare better.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let shared = shared.clone();
                connections.spawn(async move {
                    serve(stream, shared).await;
                    drop(seat);
                });
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Shared) {
    // Small answers must not wait for each other; where it cannot be set, they merely do.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answered(shared.clone(), request));
    let served = http1::Builder::new()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "sandbox connection ended");
    }
}

/// One request; an error closes the connection without an answer.
async fn answered(
    shared: Shared,
    request: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Body>> {
    let Some(request) = read(request).await else {
        return Ok(wire(Response::empty(413), Delivery::Whole));
    };
    if request.path.starts_with(control::PREFIX) {
        let mut world = locked(&shared.world);
        let now = world.now((shared.clock)());
        let response = control::answer(&mut world, now, &request);
        return Ok(wire(response, Delivery::Whole));
    }
    let begun = answer::begin(&mut locked(&shared.world), &request);
    if let Some(ms) = begun.wait() {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let Answer { response, delivery } = {
        let mut world = locked(&shared.world);
        let now = world.now((shared.clock)());
        answer::finish(&mut world, now, &request, begun)
    };
    match delivery {
        Delivery::HungUp => Err(io::Error::other("hung up, as a fault asks")),
        Delivery::Late(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(wire(response, delivery))
        }
        Delivery::Whole | Delivery::Truncated | Delivery::Flood | Delivery::Drip(_) => {
            Ok(wire(response, delivery))
        }
    }
}

/// The request as a value; `None` where its body is too long or breaks off.
async fn read(request: hyper::Request<Incoming>) -> Option<Request> {
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let mut read = Request::new(head.method.as_str(), target);
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        read = read.header(name.as_str(), &value);
    }
    let body = Limited::new(body, BODY_MAX).collect().await.ok()?;
    Some(read.body(body.to_bytes().to_vec()))
}

/// The answer as hyper sends it.
fn wire(response: Response, delivery: Delivery) -> hyper::Response<Body> {
    let length = response.body.len();
    let bytes = Bytes::from(response.body);
    let body = match delivery {
        Delivery::Whole | Delivery::Late(_) | Delivery::HungUp => {
            Full::new(bytes).map_err(|never| match never {}).boxed()
        }
        Delivery::Truncated => cut(bytes),
        Delivery::Flood => flood(),
        Delivery::Drip(ms) => drip(bytes, ms),
    };
    let mut wired = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        wired = wired.header(name, header_text(&value));
    }
    if delivery == Delivery::Truncated {
        wired = wired.header("Content-Length", length);
    }
    let mut wired = wired
        .body(body)
        .expect("status and header names are our own, values were cleaned");
    if let Some(reason) = response.reason {
        let phrase = ReasonPhrase::from_static(reason.as_bytes());
        wired.extensions_mut().insert(phrase);
    }
    wired
}

/// A header's value without what may not stand there: targets are repeated in some.
fn header_text(value: &str) -> String {
    value
        .chars()
        .filter(|one| !one.is_control() && one.is_ascii())
        .collect()
}

type Pieces = Pin<Box<dyn stream::Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync>>;

fn streamed(pieces: Pieces) -> Body {
    BodyExt::boxed(StreamBody::new(pieces))
}

/// Half of the body, then the end of the connection.
fn cut(bytes: Bytes) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = vec![
        Ok(Frame::data(half)),
        Err(io::Error::other("cut short, as a fault asks")),
    ];
    streamed(Box::pin(stream::iter(pieces)))
}

/// A gigabyte of blanks, which JSON allows before anything.
fn flood() -> Body {
    let piece = Bytes::from(vec![b' '; PIECE]);
    let pieces = (0..FLOOD / PIECE).map(move |_| Ok(Frame::data(piece.clone())));
    streamed(Box::pin(stream::iter(pieces)))
}

/// A byte at a time.
fn drip(bytes: Bytes, ms: u64) -> Body {
    let pieces = stream::unfold((bytes, 0), move |(bytes, at)| async move {
        if at == bytes.len() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let byte = bytes.slice(at..=at);
        Some((Ok(Frame::data(byte)), (bytes, at + 1)))
    });
    streamed(Box::pin(pieces))
}

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

use super::control;
use super::handler::{AnswerDelivery, HandlerAnswer, RunningCall};
use super::http_types::{HttpRequest, HttpResponse};
use super::world::World;
use crate::domain::time::Clock;

/// Most connections at the same time; more wait in the backlog.
const CONNECTIONS_MAX: usize = 512;
/// The largest body of a request, in bytes: the longest that a test sends is a few kilobytes.
const BODY_MAX: usize = 1 << 20;
/// An idle connection is closed after this long, as real servers do and announce.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// The size of a flood: more than any client should read.
const FLOOD_LEN: usize = 1 << 30;
/// A piece of a flood.
const FLOOD_CHUNK_LEN: usize = 64 << 10;

type Body = BoxBody<Bytes, io::Error>;

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

/// Converts the answer to hyper's type.
fn to_hyper_response(response: HttpResponse, delivery: AnswerDelivery) -> hyper::Response<Body> {
    let length = response.body.len();
    let bytes = Bytes::from(response.body);
    let body = match delivery {
        AnswerDelivery::Whole | AnswerDelivery::Delayed(_) | AnswerDelivery::Disconnected => {
            Full::new(bytes).map_err(|never| match never {}).boxed()
        }
        AnswerDelivery::Truncated => truncated_body(bytes),
        AnswerDelivery::Flood => flood_body(),
        AnswerDelivery::Drip(ms) => drip_body(bytes, ms),
    };
    let mut wired = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        wired = wired.header(name, sanitize_header(&value));
    }
    if delivery == AnswerDelivery::Truncated {
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

/// Removes from a header's value what a header may not contain, because some headers repeat the
/// target.
fn sanitize_header(value: &str) -> String {
    value
        .chars()
        .filter(|one| !one.is_control() && one.is_ascii())
        .collect()
}

type BodyStream = Pin<Box<dyn stream::Stream<Item = io::Result<Frame<Bytes>>> + Send + Sync>>;

fn stream_body(pieces: BodyStream) -> Body {
    BodyExt::boxed(StreamBody::new(pieces))
}

/// Returns half of the body, after which the connection ends.
fn truncated_body(bytes: Bytes) -> Body {
    let sent_half = bytes.slice(..bytes.len() / 2);
    let pieces = stream::unfold(Some(sent_half), |half| async move {
        if let Some(half) = half {
            return Some((Ok(Frame::data(half)), None));
        }
        // Head and half body are sent while nothing else is ready; an immediate error would discard
        // them.
        tokio::task::yield_now().await;
        let cut = io::Error::other("cut short, as a fault asks");
        Some((Err(cut), None))
    });
    stream_body(Box::pin(pieces))
}

/// Returns a gigabyte of blanks, which JSON allows before a value.
fn flood_body() -> Body {
    let piece = Bytes::from(vec![b' '; FLOOD_CHUNK_LEN]);
    let pieces = (0..FLOOD_LEN / FLOOD_CHUNK_LEN).map(move |_| Ok(Frame::data(piece.clone())));
    stream_body(Box::pin(stream::iter(pieces)))
}

/// Returns the body one byte at a time.
fn drip_body(bytes: Bytes, ms: u64) -> Body {
    let pieces = stream::unfold((bytes, 0), move |(bytes, at)| async move {
        if at == bytes.len() {
            return None;
        }
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let byte = bytes.slice(at..=at);
        Some((Ok(Frame::data(byte)), (bytes, at + 1)))
    });
    stream_body(Box::pin(pieces))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::domain::time::{Span, Time};
    use crate::sandbox::call_log::{MailKind, Operation, Recipient};
    use crate::sandbox::faults::{Fault, FaultRule, Stage};
    use crate::sandbox::model::{SandboxEventType, SandboxStatus};

    const KEY: &str = "cal_secret_of_the_test";

    fn now() -> Time {
        chrono::DateTime::from_timestamp(1_795_420_800, 0).unwrap()
    }

    async fn sandbox() -> (Sandbox, String) {
        let mut world = World::new();
        world.add_user(12, "Ada Host", "ada@example.org");
        world.add_key(12, KEY);
        let event_type = world.add_event_type(SandboxEventType::new(12, "lesson"));
        let uid = world.request(now(), event_type, "bo@example.com", now() + Span::days(2));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let sandbox = Sandbox::start(world, Arc::new(now), addr).await.unwrap();
        (sandbox, uid)
    }

    fn request_text(method: &str, path: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {KEY}\r\n\
             cal-api-version: 2024-08-13\r\nContent-Length: 0\r\n\r\n"
        )
    }

    async fn connect(sandbox: &Sandbox) -> TcpStream {
        TcpStream::connect(sandbox.addr()).await.unwrap()
    }

    /// Reads one whole answer by its Content-Length.
    async fn read_response(stream: &mut TcpStream) -> String {
        let mut got = Vec::new();
        loop {
            let text = String::from_utf8(got.clone()).unwrap();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    return text;
                }
            }
            let read = stream.read_buf(&mut got).await.unwrap();
            assert!(read > 0, "the connection ended early: {text}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_headers_are_sent() {
        let (sandbox, uid) = sandbox().await;
        let mut stream = connect(&sandbox).await;
        for _ in 0..3 {
            let path = format!("/v2/bookings/{uid}");
            stream
                .write_all(request_text("GET", &path).as_bytes())
                .await
                .unwrap();
            let got = read_response(&mut stream).await;
            assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
            assert!(
                got.contains("Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n"),
                "{got}"
            );
            assert!(got.contains("Keep-Alive: timeout=5\r\n"), "{got}");
            assert!(got.contains(&uid));
        }
        assert_eq!(sandbox.lock().call_log.call_count(Operation::Get), 3);
        sandbox.stop().await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "stopping closes what is idle");
    }

    #[tokio::test]
    async fn faults_show_on_the_wire() {
        // fault, what the client reads, state afterwards
        let (before, after) = (Stage::Before, Stage::After);
        let rows = [
            (
                Fault::HangUp { stage: before },
                0..1,
                SandboxStatus::Pending,
            ),
            (
                Fault::HangUp { stage: after },
                0..1,
                SandboxStatus::Accepted,
            ),
            (Fault::Truncated, 300..2300, SandboxStatus::Accepted),
        ];
        for (fault, length, status) in rows {
            let (sandbox, uid) = sandbox().await;
            sandbox
                .lock()
                .add_fault(FaultRule::on_next(Operation::Confirm, fault.clone()))
                .unwrap();
            let mut stream = connect(&sandbox).await;
            let path = format!("/v2/bookings/{uid}/confirm");
            stream
                .write_all(request_text("POST", &path).as_bytes())
                .await
                .unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).await.unwrap();
            assert!(
                length.contains(&got.len()),
                "{fault:?}: {} bytes",
                got.len()
            );
            if let Some((head, body)) = String::from_utf8(got).unwrap().split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let promised: usize = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                    .unwrap();
                assert!(!body.is_empty() && body.len() < promised, "{fault:?}");
            }
            assert_eq!(sandbox.lock().status(&uid), Some(status), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_flood_goes_on_and_a_drip_comes_whole_in_the_end() {
        let (sandbox, uid) = sandbox().await;
        let path = format!("/v2/bookings/{uid}");
        for fault in [Fault::Flood, Fault::Drip { ms: 0 }] {
            let rule = FaultRule::on_next(Operation::Get, fault);
            sandbox.lock().add_fault(rule).unwrap();
        }
        let mut stream = connect(&sandbox).await;
        stream
            .write_all(request_text("GET", &path).as_bytes())
            .await
            .unwrap();
        let mut piece = vec![0; FLOOD_CHUNK_LEN];
        let mut read = 0;
        while read < 16 * FLOOD_CHUNK_LEN {
            let got = stream.read(&mut piece).await.unwrap();
            assert!(got > 0, "ended after {read} bytes");
            read += got;
        }
        drop(stream);
        let mut stream = connect(&sandbox).await;
        let request = request_text("GET", &path).replace("Host", "Connection: close\r\nHost");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).await.unwrap();
        let bytes = got.matches("\r\n1\r\n").count();
        assert!(bytes > 500, "each byte is a chunk of its own: {bytes}");
    }

    #[tokio::test]
    async fn a_slow_answer_delays_no_other_call() {
        let (sandbox, uid) = sandbox().await;
        let stage = Stage::Before;
        let slow = FaultRule::on_next(Operation::Get, Fault::Slow { stage, ms: 600_000 });
        sandbox.lock().add_fault(slow).unwrap();
        let path = format!("/v2/bookings/{uid}");
        let mut waiting = connect(&sandbox).await;
        waiting
            .write_all(request_text("GET", &path).as_bytes())
            .await
            .unwrap();
        // The rule is used up once the server has begun the slow call.
        while !sandbox.lock().fault_rules.is_empty() {
            tokio::task::yield_now().await;
        }
        let mut other = connect(&sandbox).await;
        other
            .write_all(request_text("GET", &path).as_bytes())
            .await
            .unwrap();
        assert!(read_response(&mut other).await.contains(&uid));
        assert_eq!(sandbox.lock().call_log.call_count(Operation::Get), 1);
        sandbox.stop().await;
    }

    /// Shows what a real server does when its mail server is slow: a client that gives up and calls
    /// again causes a second mail, because the first call has not written anything yet.
    #[tokio::test]
    async fn a_second_confirm_during_a_slow_one_mails_again() {
        let (sandbox, uid) = sandbox().await;
        let stage = Stage::Between;
        let slow = FaultRule::on_next(Operation::Confirm, Fault::Slow { stage, ms: 400 });
        sandbox.lock().add_fault(slow).unwrap();
        let request = request_text("POST", &format!("/v2/bookings/{uid}/confirm"));
        let mut first = connect(&sandbox).await;
        first.write_all(request.as_bytes()).await.unwrap();
        while sandbox.lock().running_calls() == 0 {
            tokio::task::yield_now().await;
        }
        drop(first);
        assert_eq!(sandbox.lock().status(&uid), Some(SandboxStatus::Pending));
        let mut second = connect(&sandbox).await;
        second.write_all(request.as_bytes()).await.unwrap();
        assert!(
            read_response(&mut second)
                .await
                .starts_with("HTTP/1.1 200 OK")
        );
        assert_eq!(sandbox.lock().running_calls(), 1, "the first one goes on");
        while sandbox.lock().running_calls() > 0 {
            tokio::task::yield_now().await;
        }
        let world = sandbox.lock();
        assert_eq!(world.status(&uid), Some(SandboxStatus::Accepted));
        let mails = |to| world.call_log.mail_count(&uid, to, MailKind::Confirmed);
        assert_eq!((mails(Recipient::Booker), mails(Recipient::Host)), (2, 2));
        assert_eq!(world.call_log.calendar_event_count(&uid), 2);
        assert_eq!(world.call_log.call_count_for(&uid, Operation::Confirm), 2);
    }

    #[tokio::test]
    async fn stopping_the_sandbox_breaks_off_running_calls() {
        let (sandbox, uid) = sandbox().await;
        let stage = Stage::Between;
        let slow = FaultRule::on_next(Operation::Confirm, Fault::Slow { stage, ms: 600_000 });
        sandbox.lock().add_fault(slow).unwrap();
        let request = request_text("POST", &format!("/v2/bookings/{uid}/confirm"));
        let mut stream = connect(&sandbox).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        while sandbox.lock().running_calls() == 0 {
            tokio::task::yield_now().await;
        }
        let world = sandbox.world();
        sandbox.stop().await;
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert!(got.is_empty(), "no answer");
        let world = lock_world(&world);
        assert_eq!(world.status(&uid), Some(SandboxStatus::Pending));
        let mails = world
            .call_log
            .mail_count(&uid, Recipient::Booker, MailKind::Confirmed);
        assert_eq!(mails, 1);
    }

    #[tokio::test]
    async fn the_clock_can_be_set_forward_from_outside() {
        let (sandbox, _) = sandbox().await;
        let mut stream = connect(&sandbox).await;
        let body = r#"{"seconds": 86400}"#;
        let request = format!(
            "POST /_sandbox/advance HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        assert!(
            read_response(&mut stream)
                .await
                .contains("2026-11-24T08:00:00.000Z")
        );
        stream
            .write_all(request_text("GET", "/v2/me").as_bytes())
            .await
            .unwrap();
        assert!(
            read_response(&mut stream)
                .await
                .contains("Tue, 24 Nov 2026")
        );
        assert!(sandbox.base_url().starts_with("http://127.0.0.1:"));
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused() {
        let (sandbox, uid) = sandbox().await;
        let mut stream = connect(&sandbox).await;
        let length = BODY_MAX + 1;
        let head = format!(
            "POST /v2/bookings/{uid}/decline HTTP/1.1\r\nHost: s\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may close the connection while the body is still being sent; only the answer
        // counts.
        let _ = stream.write_all(&vec![b' '; length]).await;
        assert!(read_response(&mut stream).await.starts_with("HTTP/1.1 413"));
    }
}

//! A server on this machine that gives each call a prescribed answer, in plain bytes, and records
//! the calls and how much of its answers was read.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with one call.
#[derive(Clone)]
pub enum Reply {
    /// Sends these bytes, then closes the connection.
    Bytes(Vec<u8>),
    /// Does the same after this time.
    Delayed(Duration, Vec<u8>),
    /// Sends the head, then the chunk again and again until this many bytes were sent or the client
    /// left.
    Flood {
        head: Vec<u8>,
        chunk: Vec<u8>,
        total: u64,
    },
    /// Sends these pieces one after the other with this pause between them, again and again without
    /// end.
    Drip {
        pieces: Vec<Vec<u8>>,
        pause: Duration,
    },
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedCall {
    pub method: String,
    pub target: String,
    /// Head and body as they arrived.
    pub text: String,
}

impl ReceivedCall {
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

type AnswerFn = dyn Fn(&ReceivedCall) -> Reply + Send + Sync;

/// The server. Its threads end when it is dropped, or with the test.
pub struct Peer {
    pub address: String,
    calls: Arc<Mutex<Vec<ReceivedCall>>>,
    /// Bytes of answers that the client read (or that are in the socket's buffers).
    bytes_taken: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
}

impl Peer {
    pub fn start(answer: impl Fn(&ReceivedCall) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (calls, taken) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicU64::new(0)),
        );
        let closed = Arc::new(AtomicBool::new(false));
        let peer = Self {
            address,
            calls: Arc::clone(&calls),
            bytes_taken: Arc::clone(&taken),
            closed: Arc::clone(&closed),
        };
        let answer: Arc<AnswerFn> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let (asked, taken) = (Arc::clone(&calls), Arc::clone(&taken));
                let answer = Arc::clone(&answer);
                thread::spawn(move || {
                    let _gone = serve(stream.unwrap(), &asked, &taken, answer.as_ref());
                });
            }
        });
        peer
    }

    pub fn calls(&self) -> Vec<ReceivedCall> {
        self.calls.lock().unwrap().clone()
    }

    /// Returns the calls that would change something.
    pub fn write_calls(&self) -> Vec<ReceivedCall> {
        let mut asked = self.calls();
        asked.retain(ReceivedCall::is_write);
        asked
    }

    pub fn bytes_taken(&self) -> u64 {
        self.bytes_taken.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _woken = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

fn serve(
    mut stream: TcpStream,
    asked: &Mutex<Vec<ReceivedCall>>,
    taken: &AtomicU64,
    answer: &AnswerFn,
) -> io::Result<()> {
    let call = read_call(&mut stream)?;
    // The call is recorded first: a failure while answering must not hide the call.
    asked.lock().unwrap().push(call.clone());
    let reply = answer(&call);
    let mut send = |bytes: &[u8]| -> io::Result<()> {
        stream.write_all(bytes)?;
        taken.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    };
    match reply {
        Reply::Bytes(bytes) => send(&bytes)?,
        Reply::Delayed(pause, bytes) => {
            thread::sleep(pause);
            send(&bytes)?;
        }
        Reply::Flood { head, chunk, total } => {
            send(&head)?;
            let mut sent = 0;
            while sent < total {
                send(&chunk)?;
                sent += chunk.len() as u64;
            }
        }
        Reply::Drip { pieces, pause } => {
            for piece in pieces.iter().cycle() {
                send(piece)?;
                thread::sleep(pause);
            }
        }
    }
    stream.shutdown(std::net::Shutdown::Write)
}

/// Reads one call: the head, and as much of the body as the head announces.
pub fn read_call(stream: &mut impl Read) -> io::Result<ReceivedCall> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse::<usize>().unwrap())
        });
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let mut words = head.split_whitespace().map(str::to_owned);
        return Ok(ReceivedCall {
            method: words.next().unwrap(),
            target: words.next().unwrap(),
            text: text.clone(),
        });
    }
}

/// Returns a whole answer with this body, as a well-behaved server would write it.
pub fn full_response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub fn json_response(status: &str, body: &str) -> Vec<u8> {
    full_response(
        status,
        "content-type: application/json\r\n",
        body.as_bytes(),
    )
}

/// Returns a gzip stream of this many blanks: about 6 bytes for each kilobyte.
pub fn gzip_of_blanks(length: u64) -> Vec<u8> {
    /// A match of 258 bytes (11000101) at distance 1 (00000), in the fixed codes of RFC 1951.
    const MATCH: (u32, u32) = (0b1_1000_1010_0000, 13);
    const COPIED: u64 = 258;
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut byte, mut filled) = (0_u8, 0);
    let mut bit = |bit: u32| {
        byte |= (bit as u8 & 1) << filled;
        filled += 1;
        if filled == 8 {
            out.push(byte);
            (byte, filled) = (0, 0);
        }
    };
    // The header of the last block, with fixed codes; then one blank.
    [1, 1, 0].into_iter().for_each(&mut bit);
    let mut code = |(code, bits): (u32, u32)| (0..bits).rev().for_each(|at| bit(code >> at));
    code((0x30 + u32::from(b' '), 8));
    for _ in 0..length / COPIED {
        code(MATCH);
    }
    // The end of the block, and bits to fill the last byte. There is no checksum, because no reader
    // gets this far.
    code((0, 7));
    code((0, 8));
    out
}

//! An answer as it goes over the wire: whole, cut short, endless, or one byte at a time.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame};
use hyper::ext::ReasonPhrase;

use super::http_types::{AnswerDelivery, HttpResponse};

/// The size of a flood: more than any client should read.
const FLOOD_LEN: usize = 1 << 30;

/// A piece of a flood.
pub(super) const FLOOD_CHUNK_LEN: usize = 64 << 10;

/// The body of an answer as hyper sends it.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// Converts the answer to hyper's type.
pub(super) fn to_hyper_response(
    response: HttpResponse,
    delivery: AnswerDelivery,
) -> hyper::Response<Body> {
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

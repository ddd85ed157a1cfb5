//! What is said over the Unix socket: the protocol (pure), the server and the client.

pub mod protocol;

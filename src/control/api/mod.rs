//! The local API as values: which request means which command, and how answers look. `route` is the
//! table from which the server, the client and the documents take the paths.

pub mod answer;
pub mod request;
pub mod route;
pub mod variant;

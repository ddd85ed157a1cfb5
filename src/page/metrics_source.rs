//! Where the page gets the metrics from: the daemon renders them.

use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Renders the metrics for a client. The argument is the value of the client's `Accept` header.
pub type MetricsSource =
    Arc<dyn Fn(Option<String>) -> BoxFuture<'static, RenderedMetrics> + Send + Sync>;

/// Metrics as they are sent to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedMetrics {
    /// The media type of the body.
    pub content_type: &'static str,
    /// The metrics.
    pub body: String,
}

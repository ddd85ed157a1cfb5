//! Renders the metrics in the format that a client accepts.

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use super::prometheus_text::to_prometheus_text;

/// Most bytes of an `Accept` header that are looked at. Prometheus sends some 250.
const MAX_ACCEPT: usize = 4 * 1024;

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpositionFormat {
    /// The text format of Prometheus, version 0.0.4.
    PrometheusText,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// Metrics as they are sent to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposition {
    /// The media type of the body.
    pub content_type: &'static str,
    /// The metrics.
    pub body: String,
}

impl ExpositionFormat {
    /// Returns the format that the value of an `Accept` header prefers. Without a header, and for
    /// everything that names no format of metrics, it is the format that every client reads.
    pub fn from_accept(accept: Option<&str>) -> Self {
        let accept = accept.filter(|value| value.len() <= MAX_ACCEPT);
        let (mut text, mut openmetrics) = (0.0_f32, 0.0_f32);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<(&str, &str)> = parts
                .filter_map(|part| part.split_once('='))
                .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
                .collect();
            let parameter = |name: &str| {
                let mut found = parameters.iter();
                let found = found.find(|(known, _)| known.eq_ignore_ascii_case(name));
                found.map(|(_, value)| *value)
            };
            // A quality that cannot be read prefers nothing.
            let quality: f32 = parameter("q").map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let version = parameter("version");
            match media_type.as_str() {
                "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                    openmetrics = openmetrics.max(quality);
                }
                "text/plain" | "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        // Not a number is no preference either.
        match openmetrics > 0.0 && openmetrics >= text {
            true => Self::OpenMetrics,
            false => Self::PrometheusText,
        }
    }

    /// Returns the media type of the format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::PrometheusText => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Renders the registry in the format.
pub(super) fn render(registry: &Registry, format: ExpositionFormat) -> Exposition {
    let mut openmetrics = String::new();
    encode_registry(&mut openmetrics, registry).expect("a text takes everything");
    // A family without labels.
    let mut body = openmetrics.replace("{} ", " ");
    match format {
        ExpositionFormat::PrometheusText => body = to_prometheus_text(&body),
        ExpositionFormat::OpenMetrics => {
            encode_eof(&mut body).expect("a text takes everything");
        }
    }
    Exposition {
        content_type: format.content_type(),
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_chooses_the_format() {
        let of_prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let text_first = "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.2";
        let long = format!("application/openmetrics-text,{}", "x".repeat(MAX_ACCEPT));
        use ExpositionFormat::{OpenMetrics, PrometheusText};
        let rows = [
            (None, PrometheusText),
            (Some(""), PrometheusText),
            (Some("*/*"), PrometheusText),
            (
                Some("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
                PrometheusText,
            ),
            (Some("text/plain"), PrometheusText),
            (Some("text/plain;version=0.0.4"), PrometheusText),
            (Some("application/openmetrics-text"), OpenMetrics),
            (
                Some("Application/OpenMetrics-Text; Version=\"1.0.0\""),
                OpenMetrics,
            ),
            (
                Some("application/openmetrics-text; version=1.0.0"),
                OpenMetrics,
            ),
            (
                Some("application/openmetrics-text; version=0.0.1"),
                PrometheusText,
            ),
            (Some("application/openmetrics-text;q=0"), PrometheusText),
            (Some("application/openmetrics-text;q=high"), PrometheusText),
            (Some("application/openmetrics-text;q=NaN"), PrometheusText),
            (Some(of_prometheus), OpenMetrics),
            (Some(text_first), PrometheusText),
            (Some(long.as_str()), PrometheusText),
            (Some(";;;,,,===q"), PrometheusText),
        ];
        for (accept, expect) in rows {
            assert_eq!(ExpositionFormat::from_accept(accept), expect, "{accept:?}");
        }
    }
}

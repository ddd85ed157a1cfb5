//! From OpenMetrics text, which prometheus-client writes, to the Prometheus text format 0.0.4, which
//! node_exporter's textfile collector reads. In that format `# TYPE` names a counter with its
//! `_total`, an info is a gauge, and there are no units, exemplars, creation times, and no end mark.

/// Rewrites the text of a registry.
pub(super) fn to_prometheus_text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    let mut family = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            family = name;
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                text += &format!("# HELP {name}{suffix} {help}\n");
            }
            text += &format!("# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') && !is_creation_time(line, family) {
            let sample = line.split(" # ").next().unwrap_or(line);
            text.push_str(sample);
            text.push('\n');
        }
    }
    text
}

/// Returns true for the sample that says when a series began.
fn is_creation_time(sample: &str, family: &str) -> bool {
    let rest = sample
        .strip_prefix(family)
        .and_then(|rest| rest.strip_prefix("_created"));
    rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openmetrics_adds_is_left_out() {
        let openmetrics = "\
# HELP a_passes Passes.
# TYPE a_passes counter
a_passes_total{outcome=\"ok\"} 3 # {trace=\"x\"} 1.0
a_passes_created{outcome=\"ok\"} 1795420000.5
# HELP a_time_seconds Time.
# TYPE a_time_seconds histogram
# UNIT a_time_seconds seconds
a_time_seconds_sum 1.5
a_time_seconds_count 2
a_time_seconds_bucket{le=\"+Inf\"} 2
# HELP a_build Build.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_created_bookings Named like a creation time.
# TYPE a_created_bookings gauge
a_created_bookings 4
# TYPE a_other unknown
a_other 5
# EOF
";
        let expect = "\
# HELP a_passes_total Passes.
# TYPE a_passes_total counter
a_passes_total{outcome=\"ok\"} 3
# HELP a_time_seconds Time.
# TYPE a_time_seconds histogram
a_time_seconds_sum 1.5
a_time_seconds_count 2
a_time_seconds_bucket{le=\"+Inf\"} 2
# HELP a_build_info Build.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_created_bookings Named like a creation time.
# TYPE a_created_bookings gauge
a_created_bookings 4
# TYPE a_other untyped
a_other 5
";
        assert_eq!(to_prometheus_text(openmetrics), expect);
        assert_eq!(to_prometheus_text("# EOF\n"), "");
    }
}

//! Adds the counters of a single run to those that the former run left in the file. A process that
//! runs once from a timer begins at zero each time, and Prometheus would then see a counter that is 1
//! at every scrape, and no increase.

use std::collections::BTreeMap;

/// A family of samples in the text format 0.0.4.
struct MetricFamily<'a> {
    /// The `# HELP` and `# TYPE` lines.
    head: Vec<&'a str>,
    name: &'a str,
    kind: &'a str,
    /// The samples in their order: the series with its labels, and the value.
    samples: Vec<(&'a str, f64)>,
}

/// Returns the text with the counters and histograms of the former text added, and with the later of
/// the times that both have. Other gauges are those of the new text. What cannot be read of the former
/// text is left out, so that its series begin at zero again.
pub(super) fn add_former(new: &str, former: &str) -> String {
    let mut former: BTreeMap<&str, MetricFamily<'_>> = parse(former)
        .into_iter()
        .map(|family| (family.name, family))
        .collect();
    let mut text = String::new();
    for family in parse(new) {
        let same = former.remove(family.name);
        let same = same.filter(|former| former.kind == family.kind);
        write(&family.head, &merge(&family, same.as_ref()), &mut text);
    }
    // A family in which nothing has happened yet has no series, and so is not in the new text.
    let counts = |family: &&MetricFamily<'_>| matches!(family.kind, "counter" | "histogram");
    for family in former.values().filter(counts) {
        write(&family.head, &family.samples, &mut text);
    }
    text
}

fn write(head: &[&str], samples: &[(&str, f64)], text: &mut String) {
    for line in head {
        text.push_str(line);
        text.push('\n');
    }
    for (series, value) in samples {
        *text += &format!("{series} {value}\n");
    }
}

/// Returns the samples of the family with those of the former one.
fn merge<'a>(family: &MetricFamily<'a>, former: Option<&MetricFamily<'a>>) -> Vec<(&'a str, f64)> {
    let mut samples = family.samples.clone();
    let Some(former) = former else { return samples };
    let earlier: BTreeMap<&str, f64> = former.samples.iter().copied().collect();
    match family.kind {
        "counter" => {
            add(&mut samples, &earlier);
            append_missing(&mut samples, former);
        }
        // Buckets with other bounds cannot be added.
        "histogram" if have_same_bounds(family, former) => {
            add(&mut samples, &earlier);
            append_missing(&mut samples, former);
        }
        "gauge" if family.name.ends_with("_timestamp_seconds") => {
            for (series, value) in &mut samples {
                *value = earlier
                    .get(series)
                    .map_or(*value, |before| value.max(*before));
            }
        }
        _ => {}
    }
    samples
}

fn add(samples: &mut [(&str, f64)], earlier: &BTreeMap<&str, f64>) {
    for (series, value) in samples {
        *value += earlier.get(series).copied().unwrap_or_default();
    }
}

/// Appends the series that only the former family has.
fn append_missing<'a>(samples: &mut Vec<(&'a str, f64)>, former: &MetricFamily<'a>) {
    let known: Vec<&str> = samples.iter().map(|(series, _)| *series).collect();
    let missing = former.samples.iter();
    let missing = missing.filter(|(series, _)| !known.contains(series));
    samples.extend(missing);
}

fn have_same_bounds(one: &MetricFamily<'_>, other: &MetricFamily<'_>) -> bool {
    let bounds = |family: &MetricFamily<'_>| {
        let samples = family.samples.iter();
        let bounds = samples.filter_map(|(series, _)| {
            let after = series.split("le=\"").nth(1)?;
            after.split('"').next().map(str::to_owned)
        });
        bounds.collect::<std::collections::BTreeSet<String>>()
    };
    let (one, other) = (bounds(one), bounds(other));
    one.is_empty() || other.is_empty() || one == other
}

/// Parses a text. Samples that belong to no family, or whose value is no finite number above or equal
/// to zero, are left out.
fn parse(text: &str) -> Vec<MetricFamily<'_>> {
    let mut families: Vec<MetricFamily<'_>> = Vec::new();
    let mut help = None;
    for line in text.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            families.push(MetricFamily {
                head: help.take().into_iter().chain([line]).collect(),
                name,
                kind,
                samples: Vec::new(),
            });
        } else if let Some((series, value)) = line.rsplit_once(' ')
            && let Some(family) = families.last_mut()
            && series.starts_with(family.name)
            && let Ok(value) = value.parse::<f64>()
            && value.is_finite()
            && value >= 0.0
        {
            family.samples.push((series, value));
        }
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "\
# HELP a_passes_total Passes.
# TYPE a_passes_total counter
a_passes_total{outcome=\"success\"} 1
a_passes_total{outcome=\"store\"} 0
# HELP a_seconds Time.
# TYPE a_seconds histogram
a_seconds_sum 0.5
a_seconds_count 1
a_seconds_bucket{le=\"1.0\"} 1
a_seconds_bucket{le=\"+Inf\"} 1
# TYPE a_open gauge
a_open 2
# TYPE a_last_success_timestamp_seconds gauge
a_last_success_timestamp_seconds 0
";

    #[test]
    fn counters_and_histograms_continue_and_gauges_do_not() {
        let former = "\
# TYPE a_passes_total counter
a_passes_total{outcome=\"success\"} 41
a_passes_total{outcome=\"unreachable\"} 2
# TYPE a_seconds histogram
a_seconds_sum 10.25
a_seconds_count 41
a_seconds_bucket{le=\"1.0\"} 40
a_seconds_bucket{le=\"+Inf\"} 41
# TYPE a_open gauge
a_open 7
# TYPE a_last_success_timestamp_seconds gauge
a_last_success_timestamp_seconds 1795420000
# HELP a_calls_total Calls.
# TYPE a_calls_total counter
a_calls_total{endpoint=\"me\"} 3
# TYPE a_rate_limit gauge
a_rate_limit 120
";
        let expect = "\
# HELP a_passes_total Passes.
# TYPE a_passes_total counter
a_passes_total{outcome=\"success\"} 42
a_passes_total{outcome=\"store\"} 0
a_passes_total{outcome=\"unreachable\"} 2
# HELP a_seconds Time.
# TYPE a_seconds histogram
a_seconds_sum 10.75
a_seconds_count 42
a_seconds_bucket{le=\"1.0\"} 41
a_seconds_bucket{le=\"+Inf\"} 42
# TYPE a_open gauge
a_open 2
# TYPE a_last_success_timestamp_seconds gauge
a_last_success_timestamp_seconds 1795420000
# HELP a_calls_total Calls.
# TYPE a_calls_total counter
a_calls_total{endpoint=\"me\"} 3
";
        assert_eq!(add_former(NEW, former), expect);
    }

    #[test]
    fn a_former_text_that_does_not_fit_adds_nothing() {
        let alone = add_former(NEW, "");
        assert_eq!(alone, NEW);
        for former in [
            "nonsense",
            "a_passes_total{outcome=\"success\"} 41\n",
            "# TYPE a_passes_total gauge\na_passes_total{outcome=\"success\"} 41\n",
            "# TYPE a_passes_total counter\na_passes_total{outcome=\"success\"} NaN\n",
            "# TYPE a_passes_total counter\na_passes_total{outcome=\"success\"} -1\n",
            "# TYPE a_passes_total counter\na_passes_total{outcome=\"success\"} +Inf\n",
            "# TYPE a_passes_total counter\nb_passes_total 41\n",
            "# TYPE a_seconds histogram\na_seconds_count 1\na_seconds_bucket{le=\"2.0\"} 1\n",
        ] {
            assert_eq!(add_former(NEW, former), alone, "{former}");
        }
    }
}

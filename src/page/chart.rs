//! Charts over days as SVG that the server makes: bars that stand on each other, and small panels with
//! one row of bars each. Colours and sizes of letters are in the style, so that charts follow the
//! colour scheme and no answer needs inline styles.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The width of a chart in its own units. A phone shows one unit as about one pixel, so that letters
/// stay readable.
const WIDTH: f64 = 360.0;

/// The room for the numbers at the left.
const LEFT: f64 = 36.0;

/// The room at the right, so that the last bar does not touch the edge.
const RIGHT: f64 = 4.0;

/// The room for the first and the last day below the bars.
const BOTTOM: f64 = 18.0;

/// The room above the bars, for the upper half of the largest number.
const TOP: f64 = 8.0;

/// The height of bars that stand on each other.
const STACK_HEIGHT: f64 = 140.0;

/// The height of the bars of a panel.
const PANEL_HEIGHT: f64 = 34.0;

/// The room for the name of a panel above its bars.
const PANEL_NAME: f64 = 28.0;

/// The share of a day's room that its bar takes.
const BAR_SHARE: f64 = 0.8;

/// One row of values, one for each day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailySeries {
    /// What the values are.
    pub name: String,
    /// The values, in the order of the days.
    pub values: Vec<u64>,
}

impl DailySeries {
    /// Returns the sum of all values.
    pub fn total(&self) -> u64 {
        self.values.iter().sum()
    }
}

/// What a chart is about, in words.
#[derive(Debug, Clone, Copy)]
pub struct ChartText<'a> {
    /// A name for the elements of this chart that no other chart of the page has.
    pub id: &'a str,
    /// What the chart shows.
    pub title: &'a str,
    /// What can be seen in the chart, for people who do not see it.
    pub description: &'a str,
}

/// Where bars are drawn.
#[derive(Debug, Clone, Copy)]
struct Plot {
    top: f64,
    height: f64,
    /// The value at the upper edge.
    max: u64,
    days: usize,
}

impl Plot {
    fn slot(self) -> f64 {
        (WIDTH - LEFT - RIGHT) / to_f64(self.days.max(1))
    }

    fn x(self, day: usize) -> f64 {
        LEFT + self.slot() * to_f64(day)
    }

    fn y(self, value: u64) -> f64 {
        self.top + self.height - self.height_of(value)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a pixel does not need that precision"
    )]
    fn height_of(self, value: u64) -> f64 {
        self.height * (value as f64) / (self.max.max(1) as f64)
    }
}

/// Shows the values of each day as bars on each other. The first series stands at the bottom.
pub fn stacked_bars(text: ChartText<'_>, days: &[&str], series: &[DailySeries]) -> Markup {
    let sum = |day: usize| series.iter().map(|one| value(one, day)).sum::<u64>();
    let largest = (0..days.len()).map(sum).max().unwrap_or_default();
    let plot = Plot {
        top: TOP,
        height: STACK_HEIGHT,
        max: round_up(largest),
        days: days.len(),
    };
    let mut bases = vec![0; days.len()];
    let paths: Vec<String> = { series.iter() }
        .map(|one| bars(plot, one, &mut bases))
        .collect();
    let hints = (0..days.len()).map(|day| {
        let values = series.iter().filter(|one| value(one, day) > 0);
        let values: Vec<String> = values
            .map(|one| format!("{} {}", one.name, value(one, day)))
            .collect();
        match values.is_empty() {
            true => format!("{}: none", days[day]),
            false => format!("{}: {}", days[day], values.join(", ")),
        }
    });
    let content = html! {
        (scale(plot))
        @for (number, path) in paths.iter().enumerate() {
            path class={ "series-" (number + 1) } d=(path) {}
        }
        (hover_texts(plot, hints))
        (first_and_last_day(days, plot.top + plot.height))
    };
    svg(text, plot.top + plot.height + BOTTOM, &content)
}

/// Shows each series in a panel with a scale of its own, because a few credits that are spent each
/// day could not be seen next to hundreds that are granted on one.
pub fn panels(text: ChartText<'_>, days: &[&str], series: &[DailySeries]) -> Markup {
    let panel_height = PANEL_NAME + PANEL_HEIGHT;
    let plot_of = |number: usize, one: &DailySeries| Plot {
        top: panel_height * to_f64(number) + PANEL_NAME,
        height: PANEL_HEIGHT,
        max: round_up(one.values.iter().copied().max().unwrap_or_default()),
        days: days.len(),
    };
    let end = panel_height * to_f64(series.len());
    let content = html! {
        @for (number, one) in series.iter().enumerate() {
            @let plot = plot_of(number, one);
            @let hints = (0..days.len()).map(|day| format!("{}: {}", days[day], value(one, day)));
            text .panel-name x=(LEFT) y=(decimal(plot.top - 8.0)) {
                (one.name) ": " (one.total())
            }
            (scale(plot))
            path .series-1 d=(bars(plot, one, &mut vec![0; days.len()])) {}
            (hover_texts(plot, hints))
        }
        (first_and_last_day(days, end))
    };
    svg(text, end + BOTTOM, &content)
}

/// Shows which colour is which series.
pub fn legend(series: &[DailySeries]) -> Markup {
    html! {
        ul .legend {
            @for (number, one) in series.iter().enumerate() {
                li {
                    span .swatch.{ "series-" (number + 1) } aria-hidden="true" {}
                    (one.name) ": " (one.total())
                }
            }
        }
    }
}

fn svg(text: ChartText<'_>, height: f64, content: &Markup) -> Markup {
    let ids = format!("{0}-title {0}-description", text.id);
    html! {
        svg .chart role="img" aria-labelledby=(ids) viewBox={ "0 0 " (WIDTH) " " (decimal(height)) } {
            title id={ (text.id) "-title" } { (text.title) }
            desc id={ (text.id) "-description" } { (text.description) }
            (content)
        }
    }
}

/// Returns the outline of the bars of a series, each on its base, and raises the bases.
fn bars(plot: Plot, series: &DailySeries, bases: &mut [u64]) -> String {
    let width = plot.slot() * BAR_SHARE;
    let inset = (plot.slot() - width) / 2.0;
    let mut path = String::new();
    for (day, base) in bases.iter_mut().enumerate() {
        let value = value(series, day);
        if value == 0 {
            continue;
        }
        *base += value;
        let (x, y) = (plot.x(day) + inset, plot.y(*base));
        let _ = write!(
            path,
            "M{} {}h{}v{}h-{}z",
            decimal(x),
            decimal(y),
            decimal(width),
            decimal(plot.height_of(value)),
            decimal(width)
        );
    }
    path
}

/// Shows lines at zero, at the upper edge, and in the middle, with their values.
fn scale(plot: Plot) -> Markup {
    let middle = (plot.max >= 2 && plot.height >= STACK_HEIGHT).then_some(plot.max / 2);
    let values = [Some(0), middle, Some(plot.max)];
    html! {
        @for value in values.into_iter().flatten() {
            @let y = decimal(plot.y(value));
            line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) {}
            text .scale x=(LEFT - 4.0) y=(decimal(plot.y(value) + 4.0)) { (shorten(value)) }
        }
    }
}

/// Shows a text for the day under the pointer. Everybody else finds the same in the table.
fn hover_texts(plot: Plot, texts: impl Iterator<Item = String>) -> Markup {
    html! {
        @for (day, text) in texts.enumerate() {
            rect .day x=(decimal(plot.x(day))) y=(decimal(plot.top)) width=(decimal(plot.slot()))
                height=(decimal(plot.height)) { title { (text) } }
        }
    }
}

fn first_and_last_day(days: &[&str], y: f64) -> Markup {
    let y = decimal(y + BOTTOM - 4.0);
    html! {
        @if let [first, .., last] = days {
            text x=(LEFT) y=(y) { (first) }
            text .last x=(WIDTH - RIGHT) y=(y) { (last) }
        } @else if let [only] = days {
            text x=(LEFT) y=(y) { (only) }
        }
    }
}

fn value(series: &DailySeries, day: usize) -> u64 {
    series.values.get(day).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of days and of panels are small"
)]
fn to_f64(count: usize) -> f64 {
    count as f64
}

/// Formats a coordinate with two decimals at most.
fn decimal(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns the value for the upper edge: a round number that can be halved, unless it is 1.
fn round_up(value: u64) -> u64 {
    const SMALL: [u64; 6] = [1, 2, 4, 6, 8, 10];
    const LARGE: [u64; 12] = [10, 12, 14, 16, 20, 24, 30, 40, 50, 60, 80, 100];
    if let Some(round) = SMALL.into_iter().find(|round| *round >= value) {
        return round;
    }
    let mut power: u64 = 1;
    loop {
        let mut steps = LARGE.into_iter().map(|step| step.saturating_mul(power));
        if let Some(round) = steps.find(|round| *round >= value) {
            return round;
        }
        power = power.saturating_mul(10);
    }
}

/// Formats a round number so that it fits the room at the left.
fn shorten(value: u64) -> String {
    match value {
        10_000_000_000.. => format!("{}G", value / 1_000_000_000),
        10_000_000.. => format!("{}M", value / 1_000_000),
        10_000.. => format!("{}k", value / 1_000),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, values: &[u64]) -> DailySeries {
        DailySeries {
            name: name.to_owned(),
            values: values.to_vec(),
        }
    }

    const TEXT: ChartText<'_> = ChartText {
        id: "chart",
        title: "Things",
        description: "There are some.",
    };

    #[test]
    fn the_scale_ends_at_a_round_number() {
        let rows = [
            (0, 1, "1"),
            (1, 1, "1"),
            (3, 4, "4"),
            (11, 12, "12"),
            (61, 80, "80"),
            (99, 100, "100"),
            (126, 140, "140"),
            (4_001, 5_000, "5000"),
            (10_000, 10_000, "10k"),
            (1_100_000, 1_200_000, "1200k"),
            (13_000_000, 14_000_000, "14M"),
            (45_000_000_000, 50_000_000_000, "50G"),
        ];
        for (value, round, shown) in rows {
            assert_eq!(round_up(value), round, "{value}");
            assert_eq!(shorten(round), shown, "{value}");
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn bars_stand_on_each_other_and_reach_the_edge_of_the_scale() {
        let series = [series("a", &[1, 0]), series("b", &[1, 2])];
        let shown = stacked_bars(TEXT, &["2026-11-29", "2026-11-30"], &series).into_string();
        for part in [
            "<svg class=\"chart\" role=\"img\" aria-labelledby=\"chart-title chart-description\"",
            "<title id=\"chart-title\">Things</title>",
            "<desc id=\"chart-description\">There are some.</desc>",
            // Two units of 70 each, at the left and at the right.
            "class=\"series-1\" d=\"M52 78h128v70h-128z\"",
            "class=\"series-2\" d=\"M52 8h128v70h-128zM212 8h128v140h-128z\"",
            "<title>2026-11-29: a 1, b 1</title>",
            "<title>2026-11-30: b 2</title>",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("style="), "{shown}");
    }

    #[test]
    fn each_panel_has_a_scale_of_its_own() {
        let series = [series("granted", &[500, 0]), series("spent", &[1, 2])];
        let shown = panels(TEXT, &["2026-11-29", "2026-11-30"], &series).into_string();
        for part in ["granted: 500", "spent: 3", ">500</text>", ">2</text>"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        // The panels use one colour.
        assert!(!shown.contains("series-2"), "{shown}");
    }

    #[test]
    fn a_chart_of_one_day_or_none_is_no_failure() {
        for days in [&[][..], &["2026-11-30"]] {
            let one = [series("a", &[3])];
            stacked_bars(TEXT, days, &one);
            panels(TEXT, days, &one);
        }
    }
}

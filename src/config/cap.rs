//! Reads caps: `{ at-most = 2, per = "week", tiers = ["gold"] }`.

use serde_json::json;

use super::diagnostic_collector::DiagnosticCollector;
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value;
use super::value_type::SpecialType;
use crate::domain::criteria::cap::{Cap, CapPeriod, MAX_CAPS, PERIODS, strictest_cap};

/// The most bookings that a cap may allow. A higher number would not limit anything.
const MAX_BOOKINGS: u64 = 10_000;

const EXAMPLE: &str = "{ at-most = 2, per = \"week\" }";

/// A list of caps.
pub(super) const CAPS: SpecialType<Vec<Cap>> = SpecialType {
    description: "a list of caps",
    read: |item, context, report| Some(read_caps(item, &context.global.caps, report)),
    to_json: |caps| {
        value::sorted(caps.iter().map(|cap| {
            let tiers = value::sorted(cap.tiers.iter().map(|tier| tier.as_str().into()));
            json!({ "at-most": cap.at_most, "per": cap.period.as_str(), "tiers": tiers })
        }))
    },
};

/// Reads the caps of the list. The `global_caps` apply in addition.
fn read_caps(
    list: &TomlValue<'_>,
    global_caps: &[Cap],
    report: &mut DiagnosticCollector<'_>,
) -> Vec<Cap> {
    let mut caps = Vec::new();
    let mut paths = Vec::new();
    for row in list.rows(EXAMPLE, MAX_CAPS, report) {
        let path = row.path().to_owned();
        let before = report.error_count();
        let cap = read_cap(row, report);
        if let Some(cap) = cap.filter(|_| report.error_count() == before) {
            caps.push(cap);
            paths.push(path);
        }
    }
    for (number, path) in paths.iter().enumerate() {
        if !can_decide(number, &caps, global_caps) {
            let problem = "this cap never decides: for everybody it is for, another is as strict";
            let help = "the strictest counts, and a cap of the member's own tier replaces those \
                without tiers: leave this one out, or lower it";
            report.warn(path, problem.to_owned(), help);
        }
    }
    caps
}

fn read_cap(mut row: TomlTable<'_>, report: &mut DiagnosticCollector<'_>) -> Option<Cap> {
    row.match_names(&["at-most", "per", "tiers"], &[], report);
    let at_most = row.get_required("at-most", "2", report);
    let per = row.get_required("per", "\"week\"", report);
    let tiers = row.get("tiers", report);
    row.report_unknown_keys(report);
    let periods = PERIODS.map(|period| (period.as_str(), period));
    let tiers = tiers.map(|item| value::read_tiers(&item, report));
    let per = per.and_then(|item: TomlValue<'_>| item.keyword(&periods, report));
    let at_most = at_most?.number(0..=MAX_BOOKINGS, report)?;
    Some(Cap {
        at_most: u32::try_from(at_most).ok()?,
        period: per?,
        tiers: tiers.unwrap_or_default(),
    })
}

/// Returns true if there can be a member for whom this cap is the one that decides.
fn can_decide(number: usize, caps: &[Cap], global_caps: &[Cap]) -> bool {
    let cap = &caps[number];
    let all_tiers = || caps.iter().chain(global_caps).flat_map(|cap| &cap.tiers);
    let tiers = all_tiers().map(|tier| Some(tier.as_str())).chain([None]);
    let applies = |tier: Option<&str>| {
        let strictest_cap = strictest_cap(caps.iter(), tier, cap.period);
        strictest_cap.is_some_and(|own| std::ptr::eq(own, cap))
            && !is_as_strict(cap, global_caps, tier, &[cap.period])
            && !is_as_strict(cap, caps, tier, containing_periods(cap.period))
            && !is_as_strict(cap, global_caps, tier, containing_periods(cap.period))
    };
    { tiers }.any(applies)
}

/// Returns the periods that contain this one completely. A limit on the bookings in one of them
/// also limits the bookings in this one.
fn containing_periods(per: CapPeriod) -> &'static [CapPeriod] {
    match per {
        CapPeriod::Day => &[CapPeriod::Week, CapPeriod::Month],
        // A week can lie in two months, and open bookings can lie in any period.
        CapPeriod::Week | CapPeriod::Month | CapPeriod::Open => &[],
    }
}

fn is_as_strict(cap: &Cap, caps: &[Cap], tier: Option<&str>, periods: &[CapPeriod]) -> bool {
    periods
        .iter()
        .filter_map(|per| strictest_cap(caps.iter(), tier, *per))
        .any(|other| other.at_most <= cap.at_most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(at_most: u32, per: CapPeriod, tiers: &[&str]) -> Cap {
        Cap {
            at_most,
            period: per,
            tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        }
    }

    #[test]
    fn a_cap_decides_when_somebody_can_run_into_it_first() {
        let week = |at_most, tiers: &[&str]| cap(at_most, CapPeriod::Week, tiers);
        let day = |at_most| cap(at_most, CapPeriod::Day, &[]);
        // (the cap, other caps of the gate, the global caps, whether the cap can decide)
        let rows = [
            (week(2, &[]), vec![], vec![], true),
            (week(2, &[]), vec![week(1, &[])], vec![], false),
            (week(1, &[]), vec![week(2, &[])], vec![], true),
            (week(5, &["gold"]), vec![week(2, &[])], vec![], true),
            (week(5, &["gold"]), vec![week(4, &["gold"])], vec![], false),
            (
                week(5, &["gold", "exec"]),
                vec![week(4, &["gold"])],
                vec![],
                true,
            ),
            (day(3), vec![week(3, &[])], vec![], false),
            (day(3), vec![week(4, &[])], vec![], true),
            (day(3), vec![week(3, &[]), week(9, &["gold"])], vec![], true),
            (day(3), vec![], vec![cap(3, CapPeriod::Month, &[])], false),
            (
                week(3, &[]),
                vec![],
                vec![cap(3, CapPeriod::Month, &[])],
                true,
            ),
            (
                week(3, &[]),
                vec![cap(3, CapPeriod::Open, &[])],
                vec![],
                true,
            ),
            (week(3, &[]), vec![], vec![week(3, &[])], false),
            (week(3, &[]), vec![], vec![week(4, &[])], true),
            (
                week(3, &[]),
                vec![],
                vec![week(3, &[]), week(9, &["gold"])],
                true,
            ),
        ];
        for (first, others, global_caps, expect) in rows {
            let mut caps = vec![first];
            caps.extend(others);
            assert_eq!(
                can_decide(0, &caps, &global_caps),
                expect,
                "{caps:?} {global_caps:?}"
            );
        }
    }
}

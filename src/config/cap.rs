//! Caps, as they are written: `{ at-most = 2, per = "week", tiers = ["gold"] }`.

use super::reader::{Item, Table};
use super::report::Report;
use super::value;
use crate::domain::criteria::cap::{Cap, MAX_CAPS, PERIODS, Period, strictest};

/// The most bookings that a cap may leave; more is no cap.
const MAX_BOOKINGS: u64 = 10_000;

const EXAMPLE: &str = "{ at-most = 2, per = \"week\" }";

/// The caps of the list at the key. `house` are those that count besides.
pub(super) fn get(table: &mut Table<'_>, house: &[Cap], report: &mut Report<'_>) -> Vec<Cap> {
    let Some(list) = table.get("caps", report) else {
        return Vec::new();
    };
    let mut caps = Vec::new();
    let mut paths = Vec::new();
    for row in list.rows(EXAMPLE, MAX_CAPS, report) {
        let path = row.path().to_owned();
        if let Some(cap) = read(row, report) {
            caps.push(cap);
            paths.push(path);
        }
    }
    for (number, path) in paths.iter().enumerate() {
        if !decides(number, &caps, house) {
            let problem = "this cap never decides: for everybody it is for, another is as strict";
            let help = "of several caps the strictest counts, but for that a cap of the member's \
                tier takes the place of those without tiers; leave this one out, or make it lower";
            report.warn(path, problem.to_owned(), help);
        }
    }
    caps
}

fn read(mut row: Table<'_>, report: &mut Report<'_>) -> Option<Cap> {
    let at_most = row.need("at-most", "2", report);
    let per = row.need("per", "\"week\"", report);
    let tiers = row.get("tiers", report);
    row.close(report);
    let periods = PERIODS.map(|period| (period.word(), period));
    let tiers = tiers.map(|item| value::tiers(&item, report));
    let per = per.and_then(|item: Item<'_>| item.word(&periods, report));
    let at_most = at_most?.number(0..=MAX_BOOKINGS, report)?;
    Some(Cap {
        at_most: u32::try_from(at_most).ok()?,
        per: per?,
        tiers: tiers.unwrap_or_default(),
    })
}

/// Whether there may be a member for whom this cap is the one that bites.
fn decides(number: usize, caps: &[Cap], house: &[Cap]) -> bool {
    let cap = &caps[number];
    let named = || caps.iter().chain(house).flat_map(|cap| &cap.tiers);
    let tiers = named().map(|tier| Some(tier.as_str())).chain([None]);
    let bites = |tier: Option<&str>| {
        let own = strictest(caps.iter(), tier, cap.per);
        own.is_some_and(|own| std::ptr::eq(own, cap))
            && !as_strict(cap, house, tier, &[cap.per])
            && !as_strict(cap, caps, tier, longer(cap.per))
            && !as_strict(cap, house, tier, longer(cap.per))
    };
    { tiers }.any(bites)
}

/// Periods that hold the whole of this one: fewer bookings in them are fewer in it.
fn longer(per: Period) -> &'static [Period] {
    match per {
        Period::Day => &[Period::Week, Period::Month],
        // A week can lie in two months, and what is open in any.
        Period::Week | Period::Month | Period::Open => &[],
    }
}

fn as_strict(cap: &Cap, caps: &[Cap], tier: Option<&str>, periods: &[Period]) -> bool {
    periods
        .iter()
        .filter_map(|per| strictest(caps.iter(), tier, *per))
        .any(|other| other.at_most <= cap.at_most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(at_most: u32, per: Period, tiers: &[&str]) -> Cap {
        Cap {
            at_most,
            per,
            tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        }
    }

    #[test]
    fn a_cap_decides_when_somebody_can_run_into_it_first() {
        let week = |at_most, tiers: &[&str]| cap(at_most, Period::Week, tiers);
        let day = |at_most| cap(at_most, Period::Day, &[]);
        // the cap, those beside it, the house's, decides
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
            (day(3), vec![], vec![cap(3, Period::Month, &[])], false),
            (week(3, &[]), vec![], vec![cap(3, Period::Month, &[])], true),
            (week(3, &[]), vec![cap(3, Period::Open, &[])], vec![], true),
            (week(3, &[]), vec![], vec![week(3, &[])], false),
            (week(3, &[]), vec![], vec![week(4, &[])], true),
            (
                week(3, &[]),
                vec![],
                vec![week(3, &[]), week(9, &["gold"])],
                true,
            ),
        ];
        for (own, beside, house, expect) in rows {
            let mut caps = vec![own];
            caps.extend(beside);
            assert_eq!(decides(0, &caps, &house), expect, "{caps:?} {house:?}");
        }
    }
}

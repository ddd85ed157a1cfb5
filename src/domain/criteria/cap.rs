//! How many bookings a member may have, or a host.

use chrono::{Datelike as _, Days, Months, NaiveDate};
use chrono_tz::Tz;

use crate::domain::booking::Host;
use crate::domain::id::HostKey;
use crate::domain::time::{Time, start_of_day};

/// The most caps that one gate, or the global policy, may have.
pub const MAX_CAPS: usize = 50;

/// A limit on a member's bookings in each period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// The largest number of bookings in one period, the requested one included.
    pub at_most: u32,
    /// The period in which the bookings are counted.
    pub period: CapPeriod,
    /// The tiers whose members the cap limits. If empty, it limits every member for whom no cap of
    /// the same period names their tier.
    pub tiers: Vec<String>,
}

/// A cap with a name that counts the bookings of several gates together: those of each member, or
/// those of each host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCap {
    /// The cap's name in findings.
    pub name: String,
    /// The largest number of bookings in one period, the requested one included.
    pub at_most: u32,
    /// The period in which the bookings are counted.
    pub period: CapPeriod,
    /// The gates whose requests are limited and whose bookings are counted. If empty, every gate;
    /// the bookings that no gate guards are then counted, too.
    pub gates: Vec<String>,
    /// Whose bookings are counted.
    pub each: CapSubject,
}

/// Whose bookings a shared cap counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapSubject {
    /// Those of one member.
    Member {
        /// The tiers whose members the cap limits. If empty, it limits every member.
        tiers: Vec<String>,
    },
    /// Those of one host, for all bookers together.
    Host {
        /// The hosts that the cap limits. If empty, it limits every host.
        hosts: Vec<HostKey>,
    },
}

impl SharedCap {
    /// Returns true if the cap limits the requests of this gate.
    pub fn limits_gate(&self, gate: &str) -> bool {
        self.gates.is_empty() || self.gates.iter().any(|known| known == gate)
    }

    /// Returns true if the cap counts the bookings that this gate guards, or that no gate guards.
    pub fn counts_gate(&self, gate: Option<&str>) -> bool {
        self.gates.is_empty() || gate.is_some_and(|gate| self.limits_gate(gate))
    }

    /// Returns true if the cap limits each member, and this one.
    pub fn limits_member(&self, tier: Option<&str>) -> bool {
        match &self.each {
            CapSubject::Member { tiers } => {
                tiers.is_empty() || tier.is_some_and(|tier| tiers.iter().any(|one| one == tier))
            }
            CapSubject::Host { .. } => false,
        }
    }

    /// Returns true if the cap limits each host, and this one.
    pub fn limits_host(&self, host: &Host) -> bool {
        match &self.each {
            CapSubject::Member { .. } => false,
            CapSubject::Host { hosts } => {
                let is_host = |key: &HostKey| match key {
                    HostKey::Id(id) => host.id == Some(*id),
                    HostKey::Address(address) => host.address.as_ref() == Some(address),
                };
                hosts.is_empty() || hosts.iter().any(is_host)
            }
        }
    }

    /// Returns true if the cap limits each host.
    pub fn is_for_hosts(&self) -> bool {
        match self.each {
            CapSubject::Member { .. } => false,
            CapSubject::Host { .. } => true,
        }
    }
}

/// The period in which bookings are counted, by their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapPeriod {
    /// A calendar day.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// All bookings that are still to come.
    Open,
}

impl CapPeriod {
    /// Returns the word for this period in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Open => "open",
        }
    }

    /// Returns the first day of the period around an instant, and the first day after that period,
    /// in the time zone. `None` for `Open`.
    fn days_around(self, at: Time, zone: Tz) -> Option<(NaiveDate, NaiveDate)> {
        let day = at.with_timezone(&zone).date_naive();
        let since_monday = u64::from(day.weekday().num_days_from_monday());
        match self {
            Self::Day => Some((day, day.checked_add_days(Days::new(1))?)),
            Self::Week => {
                let monday = day.checked_sub_days(Days::new(since_monday))?;
                Some((monday, monday.checked_add_days(Days::new(7))?))
            }
            Self::Month => {
                let first = day.with_day(1)?;
                Some((first, first.checked_add_months(Months::new(1))?))
            }
            Self::Open => None,
        }
    }

    /// Returns the start and the end of the period in which bookings count together with one that
    /// starts `at`. `Open` has no end, nor has a period at the end of the calendar.
    pub fn bounds_around(self, at: Time, now: Time, zone: Tz) -> (Time, Option<Time>) {
        match self.days_around(at, zone) {
            Some((first, after)) => (
                start_of_day(first, zone).unwrap_or(now),
                start_of_day(after, zone),
            ),
            None => (now, None),
        }
    }
}

/// Finds the cap that counts for a member of this tier. Caps that name the tier replace those of
/// the same period that name no tier. Of several, the strictest decides.
pub fn strictest_cap<'a>(
    caps: impl Iterator<Item = &'a Cap> + Clone,
    tier: Option<&str>,
    period: CapPeriod,
) -> Option<&'a Cap> {
    let of_period = caps.filter(|cap| cap.period == period);
    let tier_cap = of_period
        .clone()
        .filter(|cap| tier.is_some_and(|tier| cap.tiers.iter().any(|known| known == tier)))
        .min_by_key(|cap| cap.at_most);
    tier_cap.or_else(|| {
        of_period
            .filter(|cap| cap.tiers.is_empty())
            .min_by_key(|cap| cap.at_most)
    })
}

/// Every period, the shortest first.
pub const PERIODS: [CapPeriod; 4] = [
    CapPeriod::Day,
    CapPeriod::Week,
    CapPeriod::Month,
    CapPeriod::Open,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        text.parse().expect("an instant")
    }

    #[test]
    fn periods_follow_the_calendar_of_the_zone() {
        let now = time("2026-01-01T00:00:00Z");
        let berlin = Tz::Europe__Berlin;
        let lagos = Tz::Africa__Lagos;
        // period, zone, instant, from, to
        let rows = [
            (
                CapPeriod::Day,
                Tz::UTC,
                "2026-11-24T23:59:59Z",
                "2026-11-24T00:00:00Z",
                "2026-11-25T00:00:00Z",
            ),
            (
                CapPeriod::Day,
                berlin,
                "2026-11-24T23:30:00Z",
                "2026-11-24T23:00:00Z",
                "2026-11-25T23:00:00Z",
            ),
            // A day of 23 hours, and one of 25.
            (
                CapPeriod::Day,
                berlin,
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                CapPeriod::Day,
                berlin,
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (
                CapPeriod::Week,
                Tz::UTC,
                "2026-11-24T10:00:00Z",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                CapPeriod::Week,
                Tz::UTC,
                "2026-11-29T23:00:00Z",
                "2026-11-23T00:00:00Z",
                "2026-11-30T00:00:00Z",
            ),
            (
                CapPeriod::Week,
                lagos,
                "2026-11-29T23:30:00Z",
                "2026-11-29T23:00:00Z",
                "2026-12-06T23:00:00Z",
            ),
            (
                CapPeriod::Month,
                Tz::UTC,
                "2026-12-31T23:00:00Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                CapPeriod::Month,
                berlin,
                "2026-12-31T23:30:00Z",
                "2026-12-31T23:00:00Z",
                "2027-01-31T23:00:00Z",
            ),
        ];
        for (period, zone, at, from, to) in rows {
            let actual = period.bounds_around(time(at), now, zone);
            assert_eq!(
                actual,
                (time(from), Some(time(to))),
                "{period:?} {zone} {at}"
            );
        }
        assert_eq!(
            CapPeriod::Open.bounds_around(time("2026-11-24T10:00:00Z"), now, Tz::UTC),
            (now, None)
        );
        // Midnight does not exist on that day in Cairo.
        let cairo = Tz::Africa__Cairo;
        let (from, _) = CapPeriod::Day.bounds_around(time("2026-04-24T10:00:00Z"), now, cairo);
        assert_eq!(from, time("2026-04-23T22:00:00Z"));
    }

    #[test]
    fn a_tier_has_caps_of_its_own_and_the_strictest_counts() {
        let cap = |at_most, period, tiers: &[&str]| Cap {
            at_most,
            period,
            tiers: tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        };
        let caps = [
            cap(3, CapPeriod::Week, &[]),
            cap(2, CapPeriod::Week, &[]),
            cap(5, CapPeriod::Week, &["gold", "exec"]),
            cap(9, CapPeriod::Week, &["exec"]),
            cap(1, CapPeriod::Day, &["gold"]),
        ];
        let rows = [
            (None, CapPeriod::Week, Some(2)),
            (Some("silver"), CapPeriod::Week, Some(2)),
            (Some("gold"), CapPeriod::Week, Some(5)),
            (Some("exec"), CapPeriod::Week, Some(5)),
            (Some("gold"), CapPeriod::Day, Some(1)),
            (None, CapPeriod::Day, None),
            (Some("gold"), CapPeriod::Month, None),
        ];
        for (tier, period, expect) in rows {
            let actual = strictest_cap(caps.iter(), tier, period).map(|cap| cap.at_most);
            assert_eq!(actual, expect, "{tier:?} {period:?}");
        }
    }
}

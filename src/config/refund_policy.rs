//! The keys of a gate for the time after the decision: refunds, absence, moves, and bookings that
//! others accepted.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::diagnostic_collector::DiagnosticCollector;
use super::key::Affects::Decisions;
use super::key::KeyValue::Default;
use super::key::{KeyRow, ReadContext};
use super::reader::TomlTable;
use super::reader::toml_value::TomlValue;
use super::value_type::{DurationRange, EmptyForNone, FLAG, FieldAt, Keywords, SpecialType};
use super::{calendar_value, value};
use crate::domain::gate::Gate;
use crate::domain::refund_policy::{
    AcceptedMove, Blame, ExpiredRefund, Forgiveness, HostAbsent, LateMove, MAX_REFUND_TIERS,
    NoShow, OnReschedule, OnRevived, OnUnmanaged, RefundTier,
};
use crate::domain::time::Span;

/// Bounds of notice, grace and the life of restored credits. Bookings are not made further ahead.
const UP_TO_A_YEAR: RangeInclusive<Duration> =
    Duration::from_secs(0)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of the period in which absences are counted.
const FORGIVE_PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The most absences that may be forgiven.
const MAX_FORGIVEN: u64 = 1_000;

/// The period of `forgive` if the key `per` is left out.
const DEFAULT_FORGIVE_PERIOD: Span = Span::days(60);

/// Whose cancellation it counts as.
const BLAME: Keywords<Blame> = Keywords(&[("refund", Blame::Host), ("as-booker", Blame::Booker)]);

pub(super) const KEYS: &[KeyRow<Gate>] = &[
    KeyRow {
        name: "refund",
        value: Default("[{ before = \"24h\", share = \"100%\" }]"),
        affects: Decisions,
        doc: "A hold records the keys from here to late-move: credits come back on the terms of \
            the decision that charged them, also after these keys have changed. A moved booking \
            keeps its terms.\n\nWhat comes back when the booker cancels, by the time before the \
            start: the longest notice that is met counts, and if none is met, nothing comes back. \
            Credits are whole, rounded in favour of the booker. For half until two hours before, \
            add { before = \"2h\", share = \"50%\" }.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.tiers,
            SpecialType {
                description: "a list of tables with a duration and a share",
                read: read_refund_tiers,
                to_json: |tiers: &Vec<RefundTier>| {
                    let tier = |tier: &RefundTier| {
                        let before = value::span_to_json(&tier.before);
                        json!({ "before": before, "share": format!("{}%", tier.percent) })
                    };
                    tiers.iter().map(tier).collect()
                },
            },
        ),
    },
    KeyRow {
        name: "trust-named-cancels",
        value: Default("false"),
        affects: Decisions,
        doc: "Whether a cancellation or a move that names the host counts as the host's. Cal.com \
            takes that name from a parameter of a public page, so everybody can give it. With \
            false, such a cancellation counts as the booker's. With true, host-cancels decides. An \
            address in calcom.hosts counts as the host, and a guest as the booker.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.trust_named_cancels,
            FLAG,
        ),
    },
    KeyRow {
        name: "host-cancels",
        value: Default("\"refund\""),
        affects: Decisions,
        doc: "With trust-named-cancels: the effect of a cancellation by the host, or of the host's \
            request for another time: \"refund\" (everything comes back), or \"as-booker\".",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.host_cancels,
            BLAME,
        ),
    },
    KeyRow {
        name: "unknown-cancels",
        value: Default("\"as-booker\""),
        affects: Decisions,
        doc: "The same for a cancellation without a name (all cancellations through Cal.com's \
            API), or with the name of a third party: \"as-booker\" or \"refund\".",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.unknown_cancels,
            BLAME,
        ),
    },
    KeyRow {
        name: "host-absent",
        value: Default("\"review\""),
        affects: Decisions,
        doc: "What happens to the credits when the host is marked absent. Every valid key of the \
            server can set that mark, also a booker's own: \"review\" (an operator decides, see \
            `maitred charges`), \"refund\" (everything comes back), or \"ignore\" (the mark does \
            not count).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.host_absent,
            Keywords(&[
                ("review", HostAbsent::Review),
                ("refund", HostAbsent::Refund),
                ("ignore", HostAbsent::Ignore),
            ]),
        ),
    },
    KeyRow {
        name: "no-show",
        value: Default("\"keep\""),
        affects: Decisions,
        doc: "What happens to the credits when the booker is marked absent: \"keep\" (they are \
            spent), \"refund\", or \"review\" (an operator decides, see `maitred charges`).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.no_show,
            Keywords(&[
                ("keep", NoShow::Keep),
                ("refund", NoShow::Refund),
                ("review", NoShow::Review),
            ]),
        ),
    },
    KeyRow {
        name: "forgive",
        value: Default("{ times = 0, per = \"60days\" }"),
        affects: Decisions,
        doc: "How many absences of an account within that time cost nothing; 0: none.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.forgiveness,
            SpecialType {
                description: "a table of a number and a duration",
                read: read_forgive,
                to_json: |forgiveness: &Option<Forgiveness>| match forgiveness {
                    Some(some) => {
                        json!({ "times": some.times, "per": value::span_to_json(&some.per) })
                    }
                    None => json!({ "times": 0 }),
                },
            },
        ),
    },
    KeyRow {
        name: "grace",
        value: Default("\"24h\""),
        affects: Decisions,
        doc: "How long after the end of a booking an absence can be marked or unmarked. Then the \
            charge is final.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.grace,
            DurationRange(UP_TO_A_YEAR),
        ),
    },
    KeyRow {
        name: "expired-refund",
        value: Default("\"restore-for 14d\""),
        affects: Decisions,
        doc: "What happens to credits that come back after they have expired, for any reason: \
            \"restore-for 14d\" (they can be spent for that long, once), or \"forfeit\".",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.expired_refund,
            SpecialType {
                description: "\"restore-for\" with a duration, or \"forfeit\"",
                read: read_expired_refund,
                to_json: |refund| match refund {
                    ExpiredRefund::RestoreFor(span) => {
                        let span = value::format_duration(span.to_std().unwrap_or_default());
                        format!("restore-for {span}").into()
                    }
                    ExpiredRefund::Forfeit => "forfeit".into(),
                },
            },
        ),
    },
    KeyRow {
        name: "late-move",
        value: Default("\"carry\""),
        affects: Decisions,
        doc: "The effect of a move by a booker who could no longer cancel without a loss: \
            \"carry\" (the new booking takes over what was paid; but what a cancellation would \
            have cost at that moment does not come back when the booker cancels the new booking, \
            or when it is refused or cheaper), or \"cancellation\" (the new booking is paid for \
            again). For a move without a name, as of an occurrence of a series, unknown-cancels \
            decides.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.refunds.late_move,
            Keywords(&[
                ("carry", LateMove::Carry),
                ("cancellation", LateMove::Cancellation),
            ]),
        ),
    },
    KeyRow {
        name: "on-reschedule",
        value: Default("\"recheck\""),
        affects: Decisions,
        doc: "How a paid booking that was moved and waits again is judged: \"recheck\" (by all \
            rules), or \"carry\" (the time must be free, and the credits must cover a higher \
            cost). It takes over what was paid.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.on_reschedule,
            Keywords(&[
                ("recheck", OnReschedule::Recheck),
                ("carry", OnReschedule::Carry),
            ]),
        ),
    },
    KeyRow {
        name: "accepted-move",
        value: Default("\"carry\""),
        affects: Decisions,
        doc: "How a paid booking is judged that was moved and accepted at once, so that no pass \
            saw it wait: \"carry\" (it takes over the charge, and is on the list of `maitred \
            unresolved`), or \"judge\" (by all rules as if it waited: then it is kept, left for \
            you, or cancelled).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.accepted_move,
            Keywords(&[
                ("carry", AcceptedMove::Carry),
                ("judge", AcceptedMove::Judge),
            ]),
        ),
    },
    KeyRow {
        name: "on-revived",
        value: Default("\"report\""),
        affects: Decisions,
        doc: "What happens to a booking that is accepted although it was cancelled or moved, \
            because its booker acted during the confirm, or because somebody accepted it again: \
            \"report\" (its charge stays, and it is on the list of `maitred unresolved`), or \
            \"cancel\" (it is cancelled again, and its credits come back).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.on_revived,
            Keywords(&[("report", OnRevived::Report), ("cancel", OnRevived::Cancel)]),
        ),
    },
    KeyRow {
        name: "unmanaged",
        value: Default("\"report\""),
        affects: Decisions,
        doc: "What happens to accepted bookings without a charge, for any reason. All are on the \
            list of `maitred unresolved` until they are dealt with. \"report\"; \"charge\" (what \
            the account has, never more); \"cancel\" (within limits.declines).",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.on_unmanaged,
            Keywords(&[
                ("report", OnUnmanaged::Report),
                ("charge", OnUnmanaged::Charge),
                ("cancel", OnUnmanaged::Cancel),
            ]),
        ),
    },
    KeyRow {
        name: "unmanaged-since",
        value: Default("\"\""),
        affects: Decisions,
        doc: "Bookings made before this day (in schedule.time-zone) are exempt from that: \
            \"2026-12-01\". \"\" exempts none, and is allowed with \"report\" only.",
        field: &FieldAt(
            |gate: &mut Gate| &mut gate.terms.unmanaged_since,
            EmptyForNone(SpecialType {
                description: "a day or an instant",
                read: |item, context, report| {
                    calendar_value::read_instant(item, context.global.zone, report)
                },
                to_json: |since| calendar_value::instant_to_json(*since),
            }),
        ),
    },
];

/// Checks that a gate that acts on unmanaged bookings says since when.
pub(super) fn check(table: &TomlTable<'_>, gate: &Gate, report: &mut DiagnosticCollector<'_>) {
    let since = table.peek("unmanaged-since");
    let has_since = since.is_some_and(|item| item.as_text() != Some(""));
    if has_since || gate.terms.on_unmanaged == OnUnmanaged::Report {
        return;
    }
    if let Some(item) = table.peek("unmanaged") {
        let problem = "this says nothing of bookings from before maitred's time".to_owned();
        let help = "add unmanaged-since = \"2026-12-01\": bookings made before are left alone";
        report.error(&item.path, problem, help);
    }
}

/// Reads the refund tiers, and sorts them by notice with the longest first.
fn read_refund_tiers(
    list: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Vec<RefundTier>> {
    let example = "[{ before = \"24h\", share = \"100%\" }]";
    let items = list.list(example, report);
    if items.len() > MAX_REFUND_TIERS {
        let problem = format!("{} windows are more than {MAX_REFUND_TIERS}", items.len());
        report.error(&list.path, problem, "leave out some");
        return None;
    }
    let mut tiers = Vec::new();
    for item in &items {
        let Some(mut table) = item.table(example, report) else {
            continue;
        };
        table.match_names(&["before", "share"], &[], report);
        let before = table.get("before", report);
        let share = table.get("share", report);
        if before.is_none() || share.is_none() {
            let problem = "this names no notice, or no share".to_owned();
            report.error(&item.path, problem, format!("write it as in {example}"));
        }
        table.report_unknown_keys(report);
        let before = before.and_then(|item| value::read_span(&item, UP_TO_A_YEAR, report));
        let percent = share.and_then(|item| value::read_percent(&item, report));
        if let (Some(before), Some(percent)) = (before, percent) {
            tiers.push(RefundTier { before, percent });
        }
    }
    tiers.sort_by_key(|window| std::cmp::Reverse(window.before));
    for pair in tiers.windows(2) {
        if pair[0].before == pair[1].before || pair[0].percent < pair[1].percent {
            let problem = "more notice never gives less, and each notice stands once".to_owned();
            report.error(&list.path, problem, "correct the shares");
            break;
        }
    }
    Some(tiers)
}

fn read_forgive(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<Option<Forgiveness>> {
    let example = "{ times = 1, per = \"60days\" }";
    let mut table = item.table(example, report)?;
    table.match_names(&["times", "per"], &[], report);
    let times = table.get("times", report);
    let per = table.get("per", report);
    if times.is_none() {
        let problem = "this says nothing of how often".to_owned();
        report.error(&item.path, problem, format!("write it as in {example}"));
    }
    table.report_unknown_keys(report);
    let times = times.and_then(|item| item.number(0..=MAX_FORGIVEN, report));
    let per = match per {
        Some(item) => value::read_span(&item, FORGIVE_PERIODS, report),
        None => Some(DEFAULT_FORGIVE_PERIOD),
    };
    let (times, per) = (u32::try_from(times?).ok()?, per?);
    Some((times > 0).then_some(Forgiveness { times, per }))
}

fn read_expired_refund(
    item: &TomlValue<'_>,
    _: &ReadContext<'_>,
    report: &mut DiagnosticCollector<'_>,
) -> Option<ExpiredRefund> {
    let help = "write \"restore-for 14d\" or \"forfeit\"";
    let text = item.text("restore-for 14d", report)?;
    if text.trim() == "forfeit" {
        return Some(ExpiredRefund::Forfeit);
    }
    let span = text.trim().strip_prefix("restore-for ");
    let span = span.and_then(|span| humantime::parse_duration(span.trim()).ok());
    let span = span.filter(|span| !span.is_zero() && UP_TO_A_YEAR.contains(span));
    match span.and_then(|span| Span::from_std(span).ok()) {
        Some(span) => Some(ExpiredRefund::RestoreFor(span)),
        None => {
            let problem = format!("{} is not known here", report.show(text));
            report.error(&item.path, problem, help);
            None
        }
    }
}

//! Computes the hash of a policy. Two configurations that decide the same have the same hash, even
//! if they are written differently. Every decision is stamped with the hash.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::model::Config;
use super::schema;

/// The format of the document that is hashed. It changes when the same keys mean something else.
const FORMAT: u64 = 3;

/// How many hexadecimal digits are kept. They distinguish the few policies that one operator ever
/// has; the hash protects nothing.
const DIGITS: usize = 16;

/// Returns the hash: of one JSON document with the value of every key that affects decisions. The
/// keys of its objects are sorted.
pub(super) fn policy_hash(config: &Config) -> String {
    let digest = Sha256::digest(policy_document(config).to_string());
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(DIGITS);
    hex
}

fn policy_document(config: &Config) -> Value {
    let mut config = config.clone();
    // The order of lookups does not decide, and that of gates, rules and prices does.
    config
        .lookups
        .sort_by(|one, other| one.name.cmp(&other.name));
    let settings = schema::settings(&config).into_iter();
    let deciding = settings.filter(|setting| setting.affects_decisions);
    let mut document: Map<String, Value> = deciding.map(|s| (s.key, s.value)).collect();
    document.insert("format".to_owned(), FORMAT.into());
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use crate::config::parse::parse;

    /// Returns the hash of a policy with one gate, after one replacement in its text.
    fn hash_after_replacement(from: &str, to: &str) -> String {
        let text = "\
[calcom]
refuse-with = \"decline\"
hosts = [7, \"bo@example.com\"]
[schedule]
[limits]
requests-per-pass = 100
declines = { at-most = 10, per = \"1h\" }
max-observation-age = \"10s\"
series-settle = \"20s\"
[global]
[reasons]
[[lookup]]
name = \"crm\"
command = [\"/bin/crm\", \"-j\"]
[[lookup]]
name = \"web\"
url = \"https://crm.example.com/{address}\"
[[gate]]
name = \"club\"
event-types = [\"book-club\", 77]
cost = 1
unknown-booker = \"decline\"
short-of-credit = { wait = \"24h\" }
taken = \"decline\"
";
        assert!(text.contains(from), "{from}");
        let loaded = parse(&text.replacen(from, to, 1), "config.toml").expect(to);
        loaded.config.policy.hash
    }

    #[test]
    fn only_settings_that_affect_decisions_change_the_hash() {
        let same = hash_after_replacement("", "");
        assert_eq!(same.len(), super::DIGITS);
        let rows = [
            ("name", "# a comment\n\nname", true),
            ("\"10s\"", "\"10000ms\"", true),
            ("wait = \"24h\"", "wait = \"1day\"", true),
            ("\"book-club\", 77", "77, \"book-club\"", true),
            ("7, \"bo@example.com\"", "\"Bo@Example.com\", 7", true),
            ("[schedule]", "[schedule]\npoll = \"30s\"", true),
            (
                "[schedule]",
                "[schedule]\ntime-zone = \"Asia/Tokyo\"",
                false,
            ),
            (
                "refuse-with = \"decline\"",
                "refuse-with = \"cancel\"",
                false,
            ),
            ("7, ", "", false),
            ("bo@", "al@", false),
            ("= 100", "= 101", false),
            ("at-most = 10", "at-most = 11", false),
            ("per = \"1h\"", "per = \"2h\"", false),
            ("\"10s\"", "\"11s\"", false),
            ("\"20s\"", "\"21s\"", false),
            ("\"club\"", "\"society\"", false),
            (", 77", "", false),
            ("77", "78", false),
            ("cost = 1", "cost = 0", false),
            (
                "unknown-booker = \"decline\"",
                "unknown-booker = \"review\"",
                false,
            ),
            ("{ wait = \"24h\" }", "\"decline\"", false),
            ("24h", "25h", false),
            ("\"24h\" }", "\"24h\", wait-until = \"0s\" }", true),
            ("\"24h\" }", "\"24h\", wait-until = \"1h\" }", false),
            ("taken = \"decline\"", "taken = \"leave\"", false),
            ("[[gate]]", "[[gate]]\ngrace = \"24h\"", true),
            ("[[gate]]", "[[gate]]\nforgive = { times = 0 }", true),
            ("[[gate]]", "[[gate]]\nunmanaged = \"report\"", true),
            ("[[gate]]", "[[gate]]\nrefund = []", false),
            ("[[gate]]", "[[gate]]\nhost-cancels = \"as-booker\"", false),
            ("[[gate]]", "[[gate]]\nunknown-cancels = \"refund\"", false),
            ("[[gate]]", "[[gate]]\nno-show = \"review\"", false),
            ("[[gate]]", "[[gate]]\nhost-absent = \"review\"", true),
            ("[[gate]]", "[[gate]]\nhost-absent = \"refund\"", false),
            ("[[gate]]", "[[gate]]\nhost-absent = \"ignore\"", false),
            ("[[gate]]", "[[gate]]\ntrust-named-cancels = false", true),
            ("[[gate]]", "[[gate]]\ntrust-named-cancels = true", false),
            ("[[gate]]", "[[gate]]\nforgive = { times = 1 }", false),
            ("[[gate]]", "[[gate]]\ngrace = \"1h\"", false),
            ("[[gate]]", "[[gate]]\nexpired-refund = \"forfeit\"", false),
            ("[[gate]]", "[[gate]]\non-reschedule = \"carry\"", false),
            ("[[gate]]", "[[gate]]\nlate-move = \"cancellation\"", false),
            (
                "[[gate]]",
                "[[gate]]\nunmanaged-since = \"2026-12-01\"",
                false,
            ),
            (
                "[[gate]]",
                "[[gate]]\nunmanaged = \"charge\"\nunmanaged-since = \"2026-12-01\"",
                false,
            ),
            ("[[gate]]", "[[gate]]\nevent-types = [5]\n[[gate]]", false),
        ];
        for (from, to, expect) in rows {
            assert_eq!(
                hash_after_replacement(from, to) == same,
                expect,
                "{from} -> {to}"
            );
        }
    }

    /// Each row has two groups of lines for one header, and says whether both are the same policy.
    #[test]
    fn criteria_that_affect_decisions_change_the_hash() {
        let global_rows = [
            ("ignore-plus-tags = true", "", true),
            ("ignore-plus-tags = false", "", false),
            (
                "ignore-dots-at = ['a.com', 'b.com']",
                "ignore-dots-at = ['b.com', 'a.com']",
                true,
            ),
            (
                "ignore-dots-at = ['a.com']",
                "ignore-dots-at = ['b.com']",
                false,
            ),
            ("requests-per-day = 0", "", true),
            ("managed-users = 'leave'", "", true),
            ("managed-users = 'find'", "", false),
            ("requests-per-day = 3", "requests-per-day = 4", false),
            ("caps = [{ at-most = 1, per = 'day' }]", "", false),
            ("allow = ['a@b.com']", "block = ['a@b.com']", false),
        ];
        let reasons = [
            ("taken = 'No.'", "taken = { en = 'No.' }", false),
            ("taken = 'No.'", "blocked = 'No.'", false),
            (
                "taken = 'No.'\nblocked = 'A'",
                "blocked = 'A'\ntaken = 'No.'",
                true,
            ),
            (
                "taken = { en = 'No.', de = 'A' }",
                "taken = { de = 'A', en = 'No.' }",
                false,
            ),
        ];
        let rule = |rest: &str| format!("[[gate.rule]]\nname = 'r'\n{rest}");
        let rules = [
            ("require = 'now == now'", "require = 'true'", false),
            (
                "require = 'true'\neffect = 'decline'",
                "require = 'true'",
                true,
            ),
            (
                "require = 'true'\neffect = 'leave'",
                "require = 'true'",
                false,
            ),
            ("require = 'true'\nreason = 'x'", "require = 'true'", false),
            (
                "require = 'true'\nreason = 'x'",
                "require = 'true'\nreason = 'y'",
                false,
            ),
        ];
        let gate = [
            (
                "caps = [{ at-most = 1, per = 'day' }]",
                "caps = [{ at-most = 2, per = 'day' }]",
                false,
            ),
            (
                "caps = [{ at-most = 1, per = 'day' }]",
                "caps = [{ at-most = 1, per = 'week' }]",
                false,
            ),
            (
                "caps = [{ at-most = 1, per = 'day', tiers = ['a', 'b'] }, \
                 { at-most = 9, per = 'day' }]",
                "caps = [{ at-most = 9, per = 'day' }, \
                 { at-most = 1, per = 'day', tiers = ['b', 'a'] }]",
                true,
            ),
            ("over-cap = 'review'", "", false),
            ("notice = { at-least = '0s' }", "", true),
            (
                "notice = { at-least = '1h' }",
                "notice = { at-most = '1h' }",
                false,
            ),
            ("notice-missed = 'review'", "", false),
            (
                "hours = [{ weekdays = ['mon'] }]",
                "hours = [{ weekdays = ['tue'] }]",
                false,
            ),
            (
                "hours = [{ weekdays = ['sat', 'sun'] }]",
                "hours = [{ weekdays = ['sat-sun'] }]",
                true,
            ),
            (
                "hours = [{ hours = '08:00-10:00' }]",
                "hours = [{ hours = '08:00-11:00' }]",
                false,
            ),
            (
                "hours = [{ hours = '08:00-10:00' }]",
                "hours = [{ hours = '09:00-10:00' }]",
                false,
            ),
            (
                "hours = [{ hours = '08:00-24:00' }]",
                "hours = [{ hours = '08:00-10:00' }]",
                false,
            ),
            ("outside-hours = 'review'", "", false),
            ("time-zone = 'schedule'", "", true),
            ("account-details = 'proven'", "", true),
            ("account-details = 'always'", "", false),
            ("time-zone = 'booker'", "", false),
            (
                "allow = ['a@b.com', '@c.com']",
                "allow = ['@c.com', 'A@b.com']",
                true,
            ),
            ("allow = ['a@b.com']", "allow = ['c@b.com']", false),
            ("allow = ['a@b.com']", "allow = ['@b.com']", false),
            ("allow = ['a@b.com']", "block = ['a@b.com']", false),
            (
                "block = ['a@b.com']",
                "block = [{ booker = 'a@b.com', note = 'x' }]",
                true,
            ),
            (
                "block = ['a@b.com']",
                "block = [{ booker = 'a@b.com', expires = '2027-01-01' }]",
                false,
            ),
            ("not-allowed = 'review'", "", false),
            ("blocked = 'review'", "", false),
            ("requests-per-day = 3", "", false),
            ("too-many-requests = 'review'", "", false),
            ("pin = ''", "", true),
            ("pin = 'a'", "pin = 'b'", false),
            ("wrong-pin = 'review'", "", false),
            ("prices = [{ cost = 2 }]", "prices = [{ cost = 3 }]", false),
            (
                "prices = [{ cost = { per-guest = 1 } }]",
                "prices = [{ cost = { base = 0, per-guest = 1 } }]",
                true,
            ),
            (
                "prices = [{ cost = { per-guest = 1 } }]",
                "prices = [{ cost = { base = 1, per-guest = 1 } }]",
                false,
            ),
            (
                "prices = [{ cost = { cel = '1 + 1' } }]",
                "prices = [{ cost = { cel = '1 + 2' } }]",
                false,
            ),
            (
                "prices = [{ cost = 2, tiers = ['a'] }]",
                "prices = [{ cost = 2, tiers = ['b'] }]",
                false,
            ),
            (
                "prices = [{ cost = 2, event-types = [77] }]",
                "prices = [{ cost = 2 }]",
                false,
            ),
            (
                "prices = [{ cost = 2, length = '1h' }]",
                "prices = [{ cost = 2, length = { at-least = '1h' } }]",
                false,
            ),
            (
                "prices = [{ cost = 2, occurrences = 2 }]",
                "prices = [{ cost = 2, occurrences = 3 }]",
                false,
            ),
            (
                "prices = [{ cost = 2, weekdays = ['mon'] }]",
                "prices = [{ cost = 2, weekdays = ['tue'] }]",
                false,
            ),
            (
                "prices = [{ cost = 2, tiers = ['a'] }, { cost = 3 }]",
                "prices = [{ cost = 3 }, { cost = 2, tiers = ['a'] }]",
                false,
            ),
        ];
        let check = |header: &str, one: &str, other: &str, expect: bool| {
            let hash_of_lines =
                |lines: &str| hash_after_replacement(header, &format!("{header}\n{lines}"));
            assert_eq!(
                hash_of_lines(one) == hash_of_lines(other),
                expect,
                "{header} {one} | {other}"
            );
        };
        for (one, other, expect) in global_rows {
            check("[global]", one, other, expect);
        }
        for (one, other, expect) in reasons {
            check("[reasons]", one, other, expect);
        }
        for (one, other, expect) in gate {
            check("[[gate]]", one, other, expect);
        }
        for (one, other, expect) in rules {
            check("taken = \"decline\"", &rule(one), &rule(other), expect);
        }
        let lookups = [
            ("\"/bin/crm\"", "\"/bin/crm\" ", true),
            ("\"-j\"]", "\"-j\"]\ntimeout = \"1s\"", true),
            ("\"-j\"]", "\"-j\"]\nno-answer = \"leave\"", false),
            ("\"-j\"", "\"-k\"", false),
            ("/bin/crm", "/bin/other", false),
            ("https://crm", "https://other", false),
            ("\"crm\"", "\"members\"", false),
        ];
        for (from, to, expect) in lookups {
            assert_eq!(
                hash_after_replacement(from, to) == hash_after_replacement("", ""),
                expect,
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn texts_cannot_imitate_the_rest() {
        let plain = hash_after_replacement("\"book-club\", 77", "\"a\", \"b\"");
        assert_ne!(
            plain,
            hash_after_replacement(
                "\"book-club\", 77",
                "'a\"\u{1}\"b'".replace('\u{1}', ",").as_str()
            )
        );
    }
}

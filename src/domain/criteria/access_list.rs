//! Access lists: the bookers whose requests are allowed, and those whose requests are blocked.

use crate::domain::id::Address;
use crate::domain::time::Time;

/// The most entries in one list. More of them belong into accounts, with their tags and tiers.
pub const MAX_ACCESS_ENTRIES: usize = 1_000;

/// One entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// The booker or bookers to whom the entry applies.
    pub subject: AccessSubject,
    /// For operators; never shown to a booker.
    pub note: Option<String>,
    /// The instant from which the entry no longer counts.
    pub expires: Option<Time>,
}

/// The booker or bookers to whom an entry applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessSubject {
    /// The booker with this address. The list's normalization decides which spellings are equal.
    Address(Address),
    /// Every address at this domain, except at its subdomains. In lower case, without `@`.
    Domain(String),
}

/// Which spellings of an address mean the same mailbox on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressNormalization {
    /// If set, `ann+club@example.com` is `ann@example.com`.
    pub strip_tags: bool,
    /// Domains that ignore dots before the `@`.
    pub domains_ignoring_dots: Vec<String>,
}

impl Default for AddressNormalization {
    fn default() -> Self {
        Self {
            strip_tags: true,
            domains_ignoring_dots: vec!["gmail.com".to_owned(), "googlemail.com".to_owned()],
        }
    }
}

impl AddressNormalization {
    /// Returns the mailbox that the address reaches, as far as this is configured.
    pub fn normalize(&self, address: &Address) -> String {
        let text = address.as_str();
        let Some((local, domain)) = text.rsplit_once('@') else {
            return text.to_owned();
        };
        let mut local = local;
        if self.strip_tags
            && let Some((name, _)) = local.split_once('+')
            && !name.is_empty()
        {
            local = name;
        }
        if self
            .domains_ignoring_dots
            .iter()
            .any(|known| known == domain)
        {
            format!("{}@{domain}", local.replace('.', ""))
        } else {
            format!("{local}@{domain}")
        }
    }
}

/// Finds the unexpired entry that applies to this booker.
pub fn find_entry<'a>(
    list: &'a [AccessEntry],
    normalization: &AddressNormalization,
    address: &Address,
    now: Time,
) -> Option<&'a AccessEntry> {
    let is_active = |entry: &&AccessEntry| entry.expires.is_none_or(|at| now < at);
    let mut active_entries = list.iter().filter(is_active).peekable();
    // Normalization is not free, and most lists are empty.
    active_entries.peek()?;
    let normalized = normalization.normalize(address);
    let domain = normalized.rsplit_once('@').map(|(_, domain)| domain);
    active_entries.find(|entry| match &entry.subject {
        AccessSubject::Address(known) => normalization.normalize(known) == normalized,
        AccessSubject::Domain(known) => domain == Some(known.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::time::Span;

    fn now() -> Time {
        DateTime::from_timestamp_millis(1_800_000_000_000).expect("in range")
    }

    fn access_entry(text: &str, expires: Option<i64>) -> AccessEntry {
        let subject = match text.strip_prefix('@') {
            Some(domain) => AccessSubject::Domain(domain.to_owned()),
            None => AccessSubject::Address(Address::parse(text).expect("an address")),
        };
        AccessEntry {
            subject,
            note: None,
            expires: expires.map(|minutes| now() + Span::minutes(minutes)),
        }
    }

    #[test]
    fn lists_mean_mailboxes_and_domains_until_they_expire() {
        let normalizing = AddressNormalization::default();
        let exact = AddressNormalization {
            strip_tags: false,
            domains_ignoring_dots: Vec::new(),
        };
        // entry, lifetime in minutes, normalization, booker, found
        let rows = [
            (
                "ann@example.com",
                None,
                &normalizing,
                "ann@example.com",
                true,
            ),
            (
                "ann@example.com",
                None,
                &normalizing,
                "Ann+x@Example.com",
                true,
            ),
            (
                "ann+y@example.com",
                None,
                &normalizing,
                "ann+x@example.com",
                true,
            ),
            ("ann@example.com", None, &exact, "ann+x@example.com", false),
            ("a.nn@gmail.com", None, &normalizing, "an.n@gmail.com", true),
            ("a.nn@gmail.com", None, &exact, "an.n@gmail.com", false),
            (
                "a.nn@example.com",
                None,
                &normalizing,
                "ann@example.com",
                false,
            ),
            (
                "+x@example.com",
                None,
                &normalizing,
                "+y@example.com",
                false,
            ),
            ("@example.com", None, &normalizing, "bo@example.com", true),
            (
                "@example.com",
                None,
                &normalizing,
                "bo@sub.example.com",
                false,
            ),
            (
                "@example.com",
                None,
                &normalizing,
                "bo@notexample.com",
                false,
            ),
            (
                "ann@example.com",
                Some(1),
                &normalizing,
                "ann@example.com",
                true,
            ),
            (
                "ann@example.com",
                Some(0),
                &normalizing,
                "ann@example.com",
                false,
            ),
        ];
        for (entry, expires, folding, booker, expect) in rows {
            let booker = Address::parse(booker).expect("an address");
            let list = [access_entry(entry, expires)];
            let is_found = find_entry(&list, folding, &booker, now()).is_some();
            assert_eq!(is_found, expect, "{entry} {booker} {folding:?}");
        }
    }
}

//! Lists of bookers: whose requests are let in, and whose are not.

use crate::domain::id::Address;
use crate::domain::time::Time;

/// Entries one list may have; more belong into accounts, their tags and their tiers.
pub const MAX_LISTED: usize = 1_000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub who: Who,
    /// For operators; never shown to a booker.
    pub note: Option<String>,
    /// From then on it counts no more.
    pub expires: Option<Time>,
}

/// Whom an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Address(Address),
    /// Everybody at this domain, and at no part of it: in lower case, without `@`.
    Domain(String),
}

/// Which spellings of an address are the same mailbox on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folding {
    /// `ann+club@example.com` is `ann@example.com`.
    pub tags: bool,
    /// Domains where dots before the `@` mean nothing.
    pub dots: Vec<String>,
}

impl Default for Folding {
    fn default() -> Self {
        Self {
            tags: true,
            dots: vec!["gmail.com".to_owned(), "googlemail.com".to_owned()],
        }
    }
}

impl Folding {
    /// The mailbox that the address reaches, as far as is configured.
    pub fn fold(&self, address: &Address) -> String {
        let text = address.as_str();
        let Some((local, domain)) = text.rsplit_once('@') else {
            return text.to_owned();
        };
        let mut local = local;
        if self.tags
            && let Some((name, _)) = local.split_once('+')
            && !name.is_empty()
        {
            local = name;
        }
        if self.dots.iter().any(|known| known == domain) {
            format!("{}@{domain}", local.replace('.', ""))
        } else {
            format!("{local}@{domain}")
        }
    }
}

/// The entry that means this booker, if one does.
pub fn find<'a>(
    list: &'a [Listed],
    folding: &Folding,
    address: &Address,
    now: Time,
) -> Option<&'a Listed> {
    let alive = |listed: &&Listed| listed.expires.is_none_or(|at| now < at);
    let mut alive = list.iter().filter(alive).peekable();
    // Folding is not for free, and most lists are empty.
    alive.peek()?;
    let folded = folding.fold(address);
    let domain = folded.rsplit_once('@').map(|(_, domain)| domain);
    alive.find(|listed| match &listed.who {
        Who::Address(known) => folding.fold(known) == folded,
        Who::Domain(known) => domain == Some(known.as_str()),
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

    fn listed(who: &str, expires: Option<i64>) -> Listed {
        let who = match who.strip_prefix('@') {
            Some(domain) => Who::Domain(domain.to_owned()),
            None => Who::Address(Address::parse(who).expect("an address")),
        };
        Listed {
            who,
            note: None,
            expires: expires.map(|minutes| now() + Span::minutes(minutes)),
        }
    }

    #[test]
    fn lists_mean_mailboxes_and_domains_until_they_expire() {
        let folded = Folding::default();
        let exact = Folding {
            tags: false,
            dots: Vec::new(),
        };
        // the entry, its life in minutes, folding, the booker, found
        let rows = [
            ("ann@example.com", None, &folded, "ann@example.com", true),
            ("ann@example.com", None, &folded, "Ann+x@Example.com", true),
            (
                "ann+y@example.com",
                None,
                &folded,
                "ann+x@example.com",
                true,
            ),
            ("ann@example.com", None, &exact, "ann+x@example.com", false),
            ("a.nn@gmail.com", None, &folded, "an.n@gmail.com", true),
            ("a.nn@gmail.com", None, &exact, "an.n@gmail.com", false),
            ("a.nn@example.com", None, &folded, "ann@example.com", false),
            ("+x@example.com", None, &folded, "+y@example.com", false),
            ("@example.com", None, &folded, "bo@example.com", true),
            ("@example.com", None, &folded, "bo@sub.example.com", false),
            ("@example.com", None, &folded, "bo@notexample.com", false),
            ("ann@example.com", Some(1), &folded, "ann@example.com", true),
            (
                "ann@example.com",
                Some(0),
                &folded,
                "ann@example.com",
                false,
            ),
        ];
        for (entry, expires, folding, booker, expect) in rows {
            let booker = Address::parse(booker).expect("an address");
            let list = [listed(entry, expires)];
            let found = find(&list, folding, &booker, now()).is_some();
            assert_eq!(found, expect, "{entry} {booker} {folding:?}");
        }
    }
}

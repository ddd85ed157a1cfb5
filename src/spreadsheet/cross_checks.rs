//! Checks rows against the rows before them. The ledger checks the rows of one part against each
//! other; that rows of different parts do not contradict each other is checked here, because the
//! parts are written one after the other, and the first would be written already.
//!
//! Names are kept as hashes, so that the memory for a million rows stays below 100 MB.

use std::collections::HashMap;

use super::problems::shorten;
use super::rows::hash_of;
use crate::control::protocol::credits::ImportRow;

/// Where something was said first.
#[derive(Debug, Clone, Copy)]
struct Mention {
    line: u32,
    part: u32,
    /// What was said, as a hash.
    value: u64,
}

/// What the rows before said.
#[derive(Debug)]
pub(super) struct CrossChecks {
    has_references: bool,
    has_details: bool,
    lines_by_reference: HashMap<u64, u32>,
    /// The first row of each account.
    accounts: HashMap<u64, Mention>,
    /// The first row of each account that describes it.
    details: HashMap<u64, Mention>,
    /// The account of each alias.
    aliases: HashMap<u64, Mention>,
}

impl CrossChecks {
    pub(super) fn new(has_references: bool, has_details: bool) -> Self {
        Self {
            has_references,
            has_details,
            lines_by_reference: HashMap::new(),
            accounts: HashMap::new(),
            details: HashMap::new(),
            aliases: HashMap::new(),
        }
    }

    /// Returns what is wrong if a row before has the same reference.
    pub(super) fn check_reference(&mut self, row: &ImportRow) -> Option<String> {
        if !self.has_references {
            return None;
        }
        let reference = hash_of(&row.reference);
        let other = self.lines_by_reference.insert(reference, line_of(row))?;
        Some(format!(
            "line {other} has the reference {:?} already; each row needs its own",
            shorten(&row.reference)
        ))
    }

    /// Returns what contradicts the rows of other parts. `part` is the part with the row.
    pub(super) fn check_details(&mut self, row: &ImportRow, part: u32) -> Vec<String> {
        let mut to = Vec::new();
        if !self.has_details {
            return to;
        }
        let line = line_of(row);
        let account = hash_of(&row.account);
        let mention = |value| Mention { line, part, value };
        self.accounts.entry(account).or_insert(mention(account));
        if let Some(other) = self.aliases.get(&account)
            && other.part != part
        {
            to.push(format!(
                "{} is an alias in line {}; name the account itself",
                shorten(&row.account),
                other.line
            ));
        }
        let says_nothing = row.tier.is_none() && row.tags.is_empty() && row.attributes.is_empty();
        if !says_nothing {
            let value = hash_of(&(&row.tier, &row.tags, &row.attributes));
            let first = *self.details.entry(account).or_insert(mention(value));
            if first.part != part && first.value != value {
                to.push(format!(
                    "line {} gives {} another tier, other tags or attributes; in a file of this \
                     size all rows of an account say the same",
                    first.line,
                    shorten(&row.account)
                ));
            }
        }
        for alias in &row.aliases {
            let name = hash_of(alias);
            let first = *self.aliases.entry(name).or_insert(mention(account));
            if first.part != part && first.value != account {
                to.push(format!(
                    "line {} gives the alias {} to another account",
                    first.line,
                    shorten(alias)
                ));
            }
            if let Some(other) = self.accounts.get(&name)
                && other.part != part
                && name != account
            {
                to.push(format!(
                    "the alias {} is the account of line {}",
                    shorten(alias),
                    other.line
                ));
            }
        }
        to
    }
}

fn line_of(row: &ImportRow) -> u32 {
    u32::try_from(row.line).unwrap_or(u32::MAX)
}

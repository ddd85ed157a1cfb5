//! The control: a bank that uses plain sled as its documentation recommends, with a transaction and
//! a `flush()` for each transfer. The same power cuts break most of its images. This shows that the
//! cuts find faults, and why the ledger keeps its own log as the source of truth.

use std::path::{Path, PathBuf};

use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::{Db, Transactional, Tree};

use super::recording::Recording;
use crate::child_process::Notes;
use crate::rng::Rng;

/// The role of the recorded process, and the role of the process that opens an image: sled may
/// panic, hang or take all memory when it opens a broken image.
pub const ROLE: &str = "bank";
pub const CHECK: &str = "bank-check";

/// Number of accounts on each side.
const ACCOUNTS: u64 = 50;

/// Bytes of a line in the bank's journal: about the size of a record of the ledger.
const JOURNAL_LINE_BYTES: usize = 400;

/// The result of checking an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageOutcome {
    Intact,
    /// An acknowledged transfer is missing.
    Lost,
    /// A transfer is in one tree and missing in another.
    Partial,
    /// The image does not open, or cannot be read.
    Refused,
    Panicked,
    /// The check did not end in time, or was killed.
    Hung,
}

const INTACT: i32 = 40;
const LOST: i32 = 41;
const PARTIAL: i32 = 42;
const REFUSED: i32 = 43;
/// The exit code of the test harness when a test panics.
const PANICKED: i32 = 101;

impl ImageOutcome {
    pub fn from_exit_code(code: Option<i32>) -> Self {
        match code {
            Some(INTACT) => Self::Intact,
            Some(LOST) => Self::Lost,
            Some(PARTIAL) => Self::Partial,
            Some(REFUSED) => Self::Refused,
            Some(PANICKED) => Self::Panicked,
            Some(_) | None => Self::Hung,
        }
    }
}

struct Bank {
    db: Db,
    /// The two sides of each transfer, its journal line, and the number of the last transfer.
    trees: [Tree; 4],
}

fn open_bank(disk: &Path) -> sled::Result<Bank> {
    let config = sled::Config::new().path(disk.join("bank"));
    let db = config.cache_capacity(4 << 20).flush_every_ms(None).open()?;
    let names = ["left", "right", "journal", "last"];
    let mut trees = Vec::new();
    for name in names {
        trees.push(db.open_tree(name)?);
    }
    let trees = trees.try_into().expect("four of them");
    Ok(Bank { db, trees })
}

fn number(value: Option<sled::IVec>) -> u64 {
    value.map_or(0, |value| {
        u64::from_be_bytes(value.as_ref().try_into().expect("eight bytes"))
    })
}

/// Returns the payer, the payee, and the amount.
fn transfer(n: u64) -> (u64, u64, u64) {
    let mut rng = Rng::new(n);
    (rng.up_to(ACCOUNTS), rng.up_to(ACCOUNTS), 1 + rng.up_to(5))
}

fn journal_line(n: u64) -> Vec<u8> {
    let mut rng = Rng::new(n);
    (0..JOURNAL_LINE_BYTES)
        .map(|_| b'a' + (rng.up_to(26) as u8))
        .collect()
}

impl Bank {
    fn last_transfer(&self) -> sled::Result<u64> {
        Ok(number(self.trees[3].get("last")?))
    }

    fn apply_transfer(&self, n: u64) -> sled::Result<()> {
        let (from, to, amount) = transfer(n);
        let done = self.trees.as_slice().transaction(|trees| {
            let left = number(trees[0].get(from.to_be_bytes())?);
            let right = number(trees[1].get(to.to_be_bytes())?);
            trees[0].insert(&from.to_be_bytes(), &(left + amount).to_be_bytes())?;
            trees[1].insert(&to.to_be_bytes(), &(right + amount).to_be_bytes())?;
            trees[2].insert(&n.to_be_bytes(), journal_line(n))?;
            trees[3].insert("last", &n.to_be_bytes())?;
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        match done {
            Ok(()) => {}
            Err(TransactionError::Storage(error)) => return Err(error),
            Err(TransactionError::Abort(())) => unreachable!("nothing aborts it"),
        }
        self.db.flush()?;
        Ok(())
    }

    /// Returns the outcome, given the number of acknowledged transfers.
    fn outcome(&self, acknowledged: u64) -> sled::Result<i32> {
        let last = self.last_transfer()?;
        let mut sums = [[0; ACCOUNTS as usize]; 2];
        for n in 1..=last {
            let (from, to, amount) = transfer(n);
            sums[0][from as usize] += amount;
            sums[1][to as usize] += amount;
        }
        for (tree, sums) in self.trees.iter().zip(sums) {
            for (account, sum) in (0..ACCOUNTS).zip(sums) {
                if number(tree.get(account.to_be_bytes())?) != sum {
                    return Ok(PARTIAL);
                }
            }
        }
        let mut lines = 0;
        for row in &self.trees[2] {
            let (key, value) = row?;
            lines += 1;
            if number(Some(key)) != lines || *value != *journal_line(lines) {
                return Ok(PARTIAL);
            }
        }
        Ok(match (lines == last, last >= acknowledged) {
            (false, _) => PARTIAL,
            (true, false) => LOST,
            (true, true) => INTACT,
        })
    }
}

/// Records a day of the bank: some processes, some of which end properly.
pub fn record_bank(recording: &Recording, rng: &mut Rng) {
    let disk = recording.disk();
    for ends in [true, false, true, false] {
        let transfers = 40 + rng.up_to(60);
        let args = format!("{} {transfers} {ends}", disk.display());
        recording.run(ROLE, &args, None);
    }
}

/// Runs the recorded process.
pub fn run_bank(args: &[String]) {
    let disk = PathBuf::from(&args[0]);
    let transfers: u64 = args[1].parse().expect("a number");
    let mut notes = Notes::new();
    notes.write_line("opening");
    let bank = open_bank(&disk).expect("it opens");
    let last = bank.last_transfer().expect("it reads");
    for n in last + 1..=last + transfers {
        bank.apply_transfer(n).expect("it pays");
        notes.write_line(&format!("there are {n}"));
    }
    if args[2] == "true" {
        notes.write_line("closing");
        drop(bank);
        notes.write_line("closed");
    }
    std::process::exit(0);
}

/// Opens an image, and exits with the outcome.
pub fn check_image(args: &[String]) {
    let disk = PathBuf::from(&args[0]);
    let acknowledged: u64 = args[1].parse().expect("a number");
    let outcome = open_bank(&disk).and_then(|bank| bank.outcome(acknowledged));
    std::process::exit(outcome.unwrap_or(REFUSED));
}

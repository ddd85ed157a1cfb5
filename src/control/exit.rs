//! Exit codes. They are defined here because a daemon's refusal carries the code that fits, and the
//! command ends with that code; `--help` and the man pages print this table.

/// Everything that was asked for is done.
pub const DONE: u8 = 0;
/// The command failed, and standard error says why.
pub const FAILED: u8 = 1;
/// The command line, or a file named there, cannot be used.
pub const USAGE: u8 = 2;
/// `plan --exit-code`: a pass would do something.
pub const PLAN_HAS_STEPS: u8 = 3;
/// The pass ended with steps unresolved or failed.
pub const UNRESOLVED: u8 = 4;
/// Cal.com or the daemon cannot be reached.
pub const UNREACHABLE: u8 = 69;
/// Another process holds the store.
pub const STORE_LOCKED: u8 = 75;
/// Cal.com refuses the credential, or there is no permission on the store.
pub const CREDENTIAL: u8 = 77;
/// The configuration cannot be used, there is no ledger at the configured path, or the ledger
/// belongs to another account.
pub const CONFIGURATION: u8 = 78;

/// Every code with its meaning, in ascending order.
pub const MEANINGS: [(u8, &str); 9] = [
    (DONE, "done"),
    (FAILED, "failed"),
    (USAGE, "usage: the command line, or a file named in it"),
    (
        PLAN_HAS_STEPS,
        "plan --exit-code: a pass would do something",
    ),
    (
        UNRESOLVED,
        "the pass ended with steps unresolved, failed or postponed",
    ),
    (UNREACHABLE, "Cal.com or the daemon cannot be reached"),
    (STORE_LOCKED, "the store is held by another process"),
    (
        CREDENTIAL,
        "the credential was refused, or the store may not be used",
    ),
    (
        CONFIGURATION,
        "the configuration cannot be used, or leads to no ledger or to a foreign one",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_documented_ones_in_order() {
        let codes = MEANINGS.map(|(code, _)| code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 69, 75, 77, 78]);
    }
}

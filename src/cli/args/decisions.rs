//! The arguments of commands about what was decided, what waits for an operator, and what was
//! charged.

use clap::builder::BoolishValueParser;
use clap::{Args as Arguments, Subcommand, ValueEnum};

use crate::cli::limit;
use crate::control::protocol::{DEFAULT_STATISTICS_DAYS, MAX_STATISTICS_DAYS};

/// List decisions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct DecisionsArgs {
    /// Not older than this: a duration back from now such as 7d, a date, or RFC 3339
    #[arg(long, value_name = "DURATION|DATE|TIME")]
    pub since: Option<String>,
    /// The maximum number of rows
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = limit::parse)]
    pub limit: u32,
    /// Only requests of this account, or of the booker with this e-mail address
    #[arg(long, value_name = "ACCOUNT")]
    pub booker: Option<String>,
    /// Only requests that this gate decided
    #[arg(long, value_name = "GATE")]
    pub gate: Option<String>,
    /// Only requests that were decided or ended like this
    #[arg(long, value_enum, value_name = "OUTCOME")]
    pub outcome: Option<OutcomeFilter>,
}

/// Count what happened on each of the last days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arguments)]
pub struct StatisticsArgs {
    /// The number of days up to today, at most 366
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = DEFAULT_STATISTICS_DAYS,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STATISTICS_DAYS))
    )]
    pub days: u32,
}

/// What `--outcome` of `decisions` selects: how a request ended, or the decision of a request that
/// has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutcomeFilter {
    /// Confirmed at Cal.com
    Confirmed,
    /// Declined at Cal.com
    Declined,
    /// Something else happened to the booking at Cal.com first
    Superseded,
    /// Refused by Cal.com time after time, and left pending
    Refused,
    /// Begun and not finished
    Unresolved,
    /// Left pending until something else happens or time passes
    Wait,
    /// Left pending for an operator
    Review,
    /// Left alone by maitred, and pending
    Leave,
}

impl OutcomeFilter {
    /// Returns the name of the outcome, as decisions are stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
            Self::Wait => "wait",
            Self::Review => "review",
            Self::Leave => "leave",
        }
    }
}

/// Charges: list them, and end those that are open.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ChargesArgs {
    /// List charges: of the newest decisions, or all that are still open, and why
    #[command(after_help = "\
Example:
  maitred charges list --open")]
    List {
        /// Only those that are still open
        #[arg(long, value_parser = BoolishValueParser::new())]
        open: bool,
        /// The maximum number of rows
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = limit::parse)]
        limit: u32,
    },
    /// End an open charge: the credits are kept, or all given back
    #[command(after_help = "\
Example:
  maitred charges settle kV2s9qTtV6zB1dPz7aYw3e refund")]
    Settle {
        /// The booking's uid
        #[arg(value_name = "BOOKING")]
        booking: String,
        /// What becomes of the credits
        #[arg(value_enum, value_name = "HOW")]
        settlement: ChargeSettlement,
    },
}

/// What becomes of the credits of an open charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChargeSettlement {
    /// They are spent
    Keep,
    /// They go back to the lots that paid
    Refund,
}

/// Requests that wait for an operator, and the operator's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ReviewArgs {
    /// List the requests that wait for an operator, soonest first
    #[command(after_help = "\
Examples:
  maitred review list
  maitred review list --all")]
    List {
        /// Those too that wait for something else or are left alone
        #[arg(long, value_parser = BoolishValueParser::new())]
        all: bool,
        /// The maximum number of rows
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = limit::parse)]
        limit: u32,
    },
    /// Have a request confirmed, whatever the rules of the configuration say
    #[command(after_help = "\
The decision overrides the rules of the configuration, but neither the calendar nor the ledger: a
request without credit, or for a time that is taken, waits until both allow it.

Example:
  maitred review confirm kV2s9qTtV6zB1dPz7aYw3e --reason \"agreed by phone\"")]
    Confirm(ReviewConfirmArgs),
    /// Have a request declined
    #[command(after_help = "\
Example:
  maitred review decline kV2s9qTtV6zB1dPz7aYw3e --reason \"We are closed that day.\"")]
    Decline(ReviewDeclineArgs),
}

/// Confirm a request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ReviewConfirmArgs {
    /// The booking's uid, or that of its series
    #[arg(value_name = "BOOKING")]
    pub booking: String,
    /// Why; kept with the decision
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Decline a request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct ReviewDeclineArgs {
    /// The booking's uid, or that of its series
    #[arg(value_name = "BOOKING")]
    pub booking: String,
    /// The reason, as the booker reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Show the unresolved list, or take a booking off the list.
#[derive(Debug, Clone, PartialEq, Eq, Arguments)]
pub struct UnresolvedArgs {
    /// The maximum number of rows
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = limit::parse)]
    pub limit: u32,
    /// What to do instead of listing.
    #[command(subcommand)]
    pub resolve: Option<ResolveArgs>,
}

/// Take bookings off the unresolved list.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ResolveArgs {
    /// Take a booking off the list
    #[command(after_help = "\
The same problem does not put the booking on the list again.

Example:
  maitred unresolved resolve kV2s9qTtV6zB1dPz7aYw3e --reason \"a guest of the host\"")]
    Resolve {
        /// The booking's uid
        #[arg(value_name = "BOOKING")]
        booking: String,
        /// Only what it is on the list for under this code [default: all]
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// Why; kept with the booking
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

//! `account`: members and what is known of them.

use clap::Subcommand;
use clap::builder::BoolishValueParser;

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Account {
    /// Show an account: what is available, held, posted and expired
    Show {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// List accounts
    List {
        /// Start behind this account
        #[arg(long, env = "MAITRED_AFTER", value_name = "ACCOUNT")]
        after: Option<String>,
        /// At most so many
        #[arg(
            long,
            env = "MAITRED_LIMIT",
            value_name = "NUMBER",
            default_value_t = 100
        )]
        limit: u32,
    },
    /// Show what became of an account's credits, newest first
    Statement {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// At most so many entries
        #[arg(
            long,
            env = "MAITRED_LIMIT",
            value_name = "NUMBER",
            default_value_t = 100
        )]
        limit: u32,
    },
    /// Give an account another e-mail address by which its member is known
    #[command(after_help = "\
Examples:
  maitred account alias bo@example.com bo@work.example
  maitred account alias bo@example.com bo@work.example --remove")]
    Alias {
        /// The member's e-mail address, or the account's name where it has another
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// An e-mail address
        #[arg(value_name = "ALIAS")]
        alias: String,
        /// Take the alias away
        #[arg(long, env = "MAITRED_REMOVE", value_parser = BoolishValueParser::new())]
        remove: bool,
    },
}

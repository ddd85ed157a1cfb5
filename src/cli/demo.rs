//! `maitred demo`: the whole story against the built-in sandbox, with real passes over HTTP, the
//! real client and a real store in a temporary directory. The demo needs nothing and leaves nothing
//! behind.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::context::runtime;
use super::context::{Context, print};
use super::render::answer;
use crate::config::model::Config;
use crate::config::parse::parse;
use crate::control::exit;
use crate::control::protocol::credits::GrantCommand;
use crate::control::protocol::pass::{PassView, StepView};
use crate::control::protocol::{Command, CommandResult, Refusal};
use crate::daemon::calendar::{self, OpenedCalendar};
use crate::daemon::failure::Failure;
use crate::daemon::metrics::registry::Metrics;
use crate::daemon::offline::{self, RunMode};
use crate::daemon::outbox::run_once::NOTIFY_WITHIN;
use crate::domain::time::Span;
use crate::sandbox::action::{BookingMove, BookingRemark, ThirdPartyAction};
use crate::sandbox::call_log::{MailKind, Operation, Recipient};
use crate::sandbox::faults::{Fault, FaultRule, Stage};
use crate::sandbox::scenario::book_club::{BookingPurpose, KEY, MEMBERS, book_club};
use crate::sandbox::server::Sandbox;

/// The address of the sandbox: a free port of this machine.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// The gates of the demo. All other settings are the shipped defaults.
const GATES: &str = r#"
[[gate]]
name = "book-club"
event-types = ["book-club", "reading-circle", "paid-call"]
cost = 1
grace = "0s"

[[gate]]
name = "exec-dinner"
event-types = ["exec-dinner"]
cost = 3
"#;

/// Runs the demo and prints its story.
///
/// # Errors
/// Returns a refusal if a part fails: that is a defect, or a machine without a loopback address.
pub fn demo(context: &Context) -> Result<u8, Refusal> {
    let folder = tempfile::tempdir().map_err(|error| demo_failure(&error))?;
    runtime()?.block_on(async {
        let club = book_club((context.clock)());
        let sandbox = Sandbox::start(club.world, Arc::clone(&context.clock), LISTEN.into())
            .await
            .map_err(|error| demo_failure(&error))?;
        let config = build_config(&sandbox.base_url(), folder.path())?;
        let key = SecretString::from(KEY);
        let opened = calendar::open_with(&config, key, &context.clock, None)
            .map_err(|error| demo_failure(&error))?;
        let story = DemoStory {
            context,
            config,
            sandbox: &sandbox,
            opened,
            bookings: club.bookings,
        };
        let result = story.run_all().await;
        sandbox.stop().await;
        result.map(|()| exit::DONE)
    })
}

fn build_config(base: &str, folder: &Path) -> Result<Config, Refusal> {
    let text = format!(
        "[calcom]\nbase-url = \"{base}\"\nbudget = \"100%\"\n\n[store]\npath = \"{}\"\n\n\
         [control]\nsocket = \"\"\n{GATES}",
        folder.join("ledger").display()
    );
    let loaded = parse(&text, "the demo's configuration").map_err(|error| demo_failure(&error))?;
    Ok(loaded.config)
}

fn demo_failure(error: &dyn std::error::Error) -> Refusal {
    Failure::Failed(format!("the demo failed: {error}")).into()
}

struct DemoStory<'a> {
    context: &'a Context,
    config: Config,
    sandbox: &'a Sandbox,
    opened: OpenedCalendar,
    bookings: Vec<BookingPurpose>,
}

impl DemoStory<'_> {
    async fn run_all(&self) -> Result<(), Refusal> {
        self.print_text(&format!(
            "maitred at the door of an executive book club\n\
             =============================================\n\n\
             A local Cal.com listens on {}. Ada hosts a book club (1 credit an evening)\n\
             and a dinner (3 credits). Her members and what they have:\n\n{}\n",
            self.sandbox.base_url(),
            self.grant_membership_credits()?
        ))?;
        let first = self.first_pass().await?;
        self.second_pass(&first).await?;
        self.third_pass().await?;
        self.show_watch().await?;
        self.print_ending()
    }

    /// Gives the members their credits, as `maitred credits grant` does.
    fn grant_membership_credits(&self) -> Result<String, Refusal> {
        offline::init(&self.config.store, &self.context.clock)?;
        let mut text = String::new();
        for member in MEMBERS.iter().filter(|member| member.credits > 0) {
            let grant = Command::Grant(GrantCommand {
                new: true,
                account: member.address.to_owned(),
                credits: member.credits,
                expires: None,
                reason: Some("membership".to_owned()),
                reference: Some(format!("membership-{}", member.address)),
                ..GrantCommand::default()
            });
            offline::run_command(&self.config, &self.context.clock, &grant, None, &mut |_| {})?;
            text.push_str(&format!("  {:<20} {:>2}\n", member.address, member.credits));
        }
        Ok(text)
    }

    async fn first_pass(&self) -> Result<PassView, Refusal> {
        let lost_uid = &self.bookings[0].uids[0];
        let rule = FaultRule::on_next(
            Operation::Confirm,
            Fault::HangUp {
                stage: Stage::After,
            },
        )
        .for_booking(lost_uid);
        self.sandbox
            .lock()
            .add_fault(rule)
            .map_err(|error| demo_failure(&error))?;
        self.print_text(
            "Two dozen requests wait. The first pass looks at all of them, writes each decision down,\n\
             and only then calls Cal.com. To make it harder, the answer to Bo's confirmation will be\n\
             lost: Cal.com confirms, and the connection breaks before it can say so.\n\n",
        )?;
        let view = self.run_pass().await?;
        let mut text = String::new();
        for booking in &self.bookings {
            text.push_str(&render_request(booking, &view));
        }
        self.print_text(&format!("{text}\n{}\n", summarize_outcomes(&view)))?;
        Ok(view)
    }

    /// Runs the second pass. The lost call is settled in the first pass or in this one, depending
    /// on which of them reads the booking first.
    async fn second_pass(&self, first: &PassView) -> Result<(), Refusal> {
        let view = self.run_pass().await?;
        let lost_booking = &self.bookings[0];
        let step = find_step(lost_booking, &view).or_else(|| find_step(lost_booking, first));
        let outcome = step.map_or("absent", |step| step.outcome.as_str());
        let world = self.sandbox.lock();
        let mails = world.call_log.mail_count(
            &lost_booking.uids[0],
            Recipient::Booker,
            MailKind::Confirmed,
        );
        let confirms = world
            .call_log
            .call_count_for(&lost_booking.uids[0], Operation::Confirm);
        drop(world);
        self.print_text(&format!(
            "The lost call is not repeated: maitred reads the booking, finds it accepted, and settles\n\
             the recorded decision: {outcome}. Bo was called for {}, mailed {}, charged once.\n\n",
            format_times(confirms),
            format_times(u64::from(mails)),
        ))
    }

    async fn third_pass(&self) -> Result<(), Refusal> {
        let before = self.count_changing_calls();
        let view = self.run_pass().await?;
        self.print_text(&format!(
            "The third pass finds nothing new: of its {} calls, {} change anything at Cal.com.\n\n",
            view.pass.calls,
            match self.count_changing_calls() - before {
                0 => "none".to_owned(),
                many => many.to_string(),
            },
        ))
    }

    /// Shows a move, a late cancellation, and a booker who did not come.
    async fn show_watch(&self) -> Result<(), Refusal> {
        let open = Command::Charges {
            open: true,
            limit: 1_000,
            after: None,
        };
        let CommandResult::Charges(open) =
            offline::run_command(&self.config, &self.context.clock, &open, None, &mut |_| {})?
        else {
            return Err(demo_failure(&std::io::Error::other(
                "charges were asked for",
            )));
        };
        let is_open = |uid: &String| open.charges.iter().any(|line| line.charge.booking == *uid);
        let mut single = self
            .bookings
            .iter()
            .filter(|booking| booking.uids.len() == 1);
        let mut next = || single.find(|booking| is_open(&booking.uids[0]));
        let (Some(moved_booking), Some(late_booking), Some(missed_booking)) =
            (next(), next(), next())
        else {
            return Err(demo_failure(&std::io::Error::other(
                "too few were confirmed",
            )));
        };
        let now = (self.context.clock)();
        {
            let mut world = self.sandbox.lock();
            let shift = BookingMove::new(&moved_booking.uids[0], now + Span::days(40));
            let cancels = ThirdPartyAction::BookerCancels(BookingRemark::without_reason(
                &late_booking.uids[0],
            ));
            world
                .act(now, ThirdPartyAction::HostMoves(shift))
                .map_err(|e| demo_failure(&e))?;
            // The demo does not wait for the days to pass.
            for (booking, start) in [
                (late_booking, now + Span::hours(2)),
                (missed_booking, now - Span::days(1)),
            ] {
                let edited = world.edit(&booking.uids[0], |row| {
                    row.end = start + (row.end - row.start);
                    row.start = start;
                    row.updated = Some(now);
                    row.attendees
                        .iter_mut()
                        .for_each(|one| one.absent = start < now);
                });
                edited.map_err(|e| demo_failure(&e))?;
            }
            world.act(now, cancels).map_err(|e| demo_failure(&e))?;
        }
        let view = self.run_in_mode(RunMode::Watch).await?;
        let mut lines = String::new();
        for change in view.watch.iter().flat_map(|watch| &watch.changes) {
            let booking = self
                .bookings
                .iter()
                .find(|told| told.uids.contains(&change.booking));
            let purpose = booking.map_or("", |told| told.purpose);
            lines.push_str(&format!("  {:<12} {purpose}\n", change.outcome));
            lines.push_str(&format!("               {}\n", wrap_reason(&change.text)));
        }
        self.print_text(&format!(
            "Days later the host has moved one evening, one member cancels two hours before, and one\n\
             did not come. The watch follows each charge:\n\n{lines}\n"
        ))
    }

    fn print_ending(&self) -> Result<(), Refusal> {
        let list = Command::AccountList {
            after: None,
            limit: 100,
            search: None,
        };
        let accounts =
            offline::run_command(&self.config, &self.context.clock, &list, None, &mut |_| {})?;
        let dinner = &self.bookings[7].uids[0];
        let explain = Command::Explain {
            booking: dinner.clone(),
        };
        let explanation = offline::run_command(
            &self.config,
            &self.context.clock,
            &explain,
            None,
            &mut |_| {},
        )?;
        let verification = offline::run_command(
            &self.config,
            &self.context.clock,
            &Command::Verify {},
            None,
            &mut |_| {},
        )?;
        self.print_text(&format!(
            "The ledger now (`maitred account list`):\n\n{}\n\
             And why was Faye declined? `maitred explain {dinner}` says:\n\n{}\n\
             `maitred ledger verify`: {}\n\
             Next, in an empty directory, for a ledger of your own:\n\n  \
             maitred init --config config.toml --store ledger\n\n\
             Then name your event types in config.toml, put the API key into the variable MAITRED_API_KEY,\n\
             and look at what maitred finds:\n\n  \
             maitred check --live --config config.toml\n",
            self.plain(&accounts),
            self.plain(&explanation),
            self.plain(&verification),
        ))
    }

    async fn run_pass(&self) -> Result<PassView, Refusal> {
        self.run_in_mode(RunMode::Run).await
    }

    async fn run_in_mode(&self, mode: RunMode<'_>) -> Result<PassView, Refusal> {
        let calendar = self.opened.calendar.as_ref();
        let clock = &self.context.clock;
        let metrics = Metrics::new(None, clock());
        let run = offline::run_once(&self.config, clock, calendar, mode, &metrics, NOTIFY_WITHIN);
        match run.await? {
            CommandResult::Pass(view) => super::run::finish(&view).map(|_| view),
            other => Err(demo_failure(&std::io::Error::other(format!("{other:?}")))),
        }
    }

    /// Returns the number of calls so far that change anything at Cal.com.
    fn count_changing_calls(&self) -> u64 {
        let world = self.sandbox.lock();
        let counts = world.call_log.call_counts().iter();
        counts
            .filter(|(kind, _)| !kind.is_read())
            .map(|(_, count)| count)
            .sum()
    }

    fn plain(&self, answer: &CommandResult) -> String {
        answer::render_plain(answer, &self.context.page())
    }

    fn print_text(&self, text: &str) -> Result<(), Refusal> {
        print(text.as_bytes()).map(|_| ())
    }
}

fn format_times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

fn find_step<'a>(booking: &BookingPurpose, view: &'a PassView) -> Option<&'a StepView> {
    let uid = &booking.uids[0];
    view.steps
        .iter()
        .find(|step| step.bookings.iter().any(|booking| booking == uid))
}

/// Renders one request: what it is about, what happened to it, and why.
fn render_request(booking: &BookingPurpose, view: &PassView) -> String {
    let Some(step) = find_step(booking, view) else {
        return format!("  {:<12} {}\n", "not listed", booking.purpose);
    };
    let word = match step.outcome.as_str() {
        "none" => "left alone",
        other => other,
    };
    let why: Vec<&str> = step
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect();
    let credits = match step.credits {
        0 => String::new(),
        1 => " (1 credit)".to_owned(),
        many => format!(" ({many} credits)"),
    };
    let why = why.join(" ");
    let why = if step.decision == "confirm" {
        String::new()
    } else {
        format!("\n               {}", wrap_reason(&why))
    };
    format!("  {word:<12} {}{credits}{why}\n", booking.purpose)
}

/// Breaks a text for the indented column of reasons.
fn wrap_reason(text: &str) -> String {
    const WIDTH: usize = 84;
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is a line");
        if !last.is_empty() && last.chars().count() + word.chars().count() >= WIDTH {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n               ")
}

fn summarize_outcomes(view: &PassView) -> String {
    let count = |outcome: &str| view.steps.iter().filter(|s| s.outcome == outcome).count();
    format!(
        "  {} confirmed, {} declined, {} unresolved, {} left alone; {} calls.\n",
        count("confirmed"),
        count("declined"),
        count("unresolved"),
        count("none"),
        view.pass.calls
    )
}

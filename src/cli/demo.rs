//! `maitred demo`: the whole story against the built-in sandbox, with real passes over HTTP, the real
//! client and a real store in a temporary directory. Nothing is needed, nothing is left behind.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::dispatch::{Context, print};
use super::render::answer;
use super::run::runtime;
use crate::config::model::Config;
use crate::config::parse::parse;
use crate::control::exit;
use crate::control::protocol::{Answer, Command, Grant, PassView, Refusal, StepView};
use crate::daemon::calendar::{self, Opened};
use crate::daemon::failure::Failure;
use crate::daemon::local::{self, Mode};
use crate::domain::time::Span;
use crate::sandbox::actions::{Action, Said, Shift};
use crate::sandbox::faults::{Fault, Rule, Stage};
use crate::sandbox::journal::{Operation, MailKind, Recipient};
use crate::sandbox::scenario::book_club::{KEY, MEMBERS, Told, book_club};
use crate::sandbox::server::Sandbox;

/// Where the sandbox listens: a free port of this machine.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// The house rules of the demo. All else is the shipped default.
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

/// Tells the story.
///
/// # Errors
/// When something of it fails; that is a defect, or a machine without a loopback address.
pub fn demo(context: &Context) -> Result<u8, Refusal> {
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    runtime()?.block_on(async {
        let house = book_club((context.clock)());
        let sandbox = Sandbox::start(house.world, Arc::clone(&context.clock), LISTEN.into())
            .await
            .map_err(|error| failed(&error))?;
        let config = config(&sandbox.base_url(), folder.path())?;
        let key = SecretString::from(KEY);
        let opened =
            calendar::open_with(&config, key, &context.clock).map_err(|error| failed(&error))?;
        let story = Story {
            context,
            config,
            sandbox: &sandbox,
            opened,
            bookings: house.bookings,
        };
        let told = story.tell().await;
        sandbox.stop().await;
        told.map(|()| exit::DONE)
    })
}

fn config(base: &str, folder: &Path) -> Result<Config, Refusal> {
    let text = format!(
        "[calcom]\nbase-url = \"{base}\"\nbudget = \"100%\"\n\n[store]\npath = \"{}\"\n\n\
         [control]\nsocket = \"\"\n{GATES}",
        folder.join("ledger").display()
    );
    let loaded = parse(&text, "the demo's configuration").map_err(|error| failed(&error))?;
    Ok(loaded.config)
}

fn failed(error: &dyn std::error::Error) -> Refusal {
    Failure::Failed(format!("the demo failed: {error}")).into()
}

struct Story<'a> {
    context: &'a Context,
    config: Config,
    sandbox: &'a Sandbox,
    opened: Opened,
    bookings: Vec<Told>,
}

impl Story<'_> {
    async fn tell(&self) -> Result<(), Refusal> {
        self.say(&format!(
            "maitred at the door of an executive book club\n\
             =============================================\n\n\
             A local Cal.com listens on {}. Ada hosts a book club (1 credit an evening)\n\
             and a dinner (3 credits). Her members and what they have:\n\n{}\n",
            self.sandbox.base_url(),
            self.members()?
        ))?;
        let first = self.first_pass().await?;
        self.second_pass(&first).await?;
        self.third_pass().await?;
        self.afterwards().await?;
        self.ending()
    }

    /// Gives the members their credits, as `maitred credits grant` does.
    fn members(&self) -> Result<String, Refusal> {
        local::init(&self.config.store.path, &self.context.clock)?;
        let mut text = String::new();
        for member in MEMBERS.iter().filter(|member| member.credits > 0) {
            let asked = Command::Grant(Grant {
                new: true,
                account: member.address.to_owned(),
                credits: member.credits,
                expires: None,
                reason: Some("membership".to_owned()),
                reference: Some(format!("membership-{}", member.address)),
            });
            local::answer(&self.config, &self.context.clock, &asked)?;
            text.push_str(&format!("  {:<20} {:>2}\n", member.address, member.credits));
        }
        Ok(text)
    }

    async fn first_pass(&self) -> Result<PassView, Refusal> {
        let lost = &self.bookings[0].uids[0];
        let rule = Rule::next(
            Operation::Confirm,
            Fault::HangUp {
                stage: Stage::After,
            },
        )
        .about(lost);
        self.sandbox
            .lock()
            .add_fault(rule)
            .map_err(|error| failed(&error))?;
        self.say(
            "Two dozen requests wait. The first pass looks at all of them, writes each decision down,\n\
             and only then calls Cal.com. To make it harder, the answer to Bo's confirmation will be\n\
             lost: Cal.com confirms, and the connection breaks before it can say so.\n\n",
        )?;
        let view = self.pass().await?;
        let mut text = String::new();
        for told in &self.bookings {
            text.push_str(&line(told, &view));
        }
        self.say(&format!("{text}\n{}\n", counted(&view)))?;
        Ok(view)
    }

    /// The lost call has its end in the first pass or in this one, whichever reads the booking first.
    async fn second_pass(&self, first: &PassView) -> Result<(), Refusal> {
        let view = self.pass().await?;
        let lost = &self.bookings[0];
        let step = step(lost, &view).or_else(|| step(lost, first));
        let outcome = step.map_or("absent", |step| step.outcome.as_str());
        let world = self.sandbox.lock();
        let mails = world
            .journal
            .mails_for(&lost.uids[0], Recipient::Booker, MailKind::Confirmed);
        let confirms = world.journal.count_for(&lost.uids[0], Operation::Confirm);
        drop(world);
        self.say(&format!(
            "The lost call is not repeated: maitred reads the booking, finds it accepted, and settles\n\
             what it had written down: {outcome}. Bo was called for {}, mailed {}, charged once.\n\n",
            times(confirms),
            times(u64::from(mails)),
        ))
    }

    async fn third_pass(&self) -> Result<(), Refusal> {
        let before = self.sent();
        let view = self.pass().await?;
        self.say(&format!(
            "The third pass finds nothing new: of its {} calls, {} change anything at Cal.com.\n\n",
            view.pass.calls,
            match self.sent() - before {
                0 => "none".to_owned(),
                many => many.to_string(),
            },
        ))
    }

    /// A move, a late cancellation and somebody who did not come.
    async fn afterwards(&self) -> Result<(), Refusal> {
        let open = Command::Charges {
            open: true,
            limit: 1_000,
        };
        let Answer::Charges(open) = local::answer(&self.config, &self.context.clock, &open)? else {
            return Err(failed(&std::io::Error::other("charges were asked for")));
        };
        let is_open = |uid: &String| open.charges.iter().any(|line| line.charge.booking == *uid);
        let mut single = self.bookings.iter().filter(|told| told.uids.len() == 1);
        let mut next = || single.find(|told| is_open(&told.uids[0]));
        let (Some(moved), Some(late), Some(missed)) = (next(), next(), next()) else {
            return Err(failed(&std::io::Error::other("too few were confirmed")));
        };
        let now = (self.context.clock)();
        {
            let mut world = self.sandbox.lock();
            let shift = Shift::to(&moved.uids[0], now + Span::days(40));
            let cancels = Action::BookerCancels(Said::nothing(&late.uids[0]));
            world
                .act(now, Action::HostMoves(shift))
                .map_err(|e| failed(&e))?;
            // The demo does not wait for the days to pass.
            for (told, start) in [(late, now + Span::hours(2)), (missed, now - Span::days(1))] {
                let edited = world.edit(&told.uids[0], |row| {
                    row.end = start + (row.end - row.start);
                    row.start = start;
                    row.updated = Some(now);
                    row.attendees
                        .iter_mut()
                        .for_each(|one| one.absent = start < now);
                });
                edited.map_err(|e| failed(&e))?;
            }
            world.act(now, cancels).map_err(|e| failed(&e))?;
        }
        let view = self.run(Mode::Watch).await?;
        let mut lines = String::new();
        for change in view.watch.iter().flat_map(|watch| &watch.changes) {
            let told = self
                .bookings
                .iter()
                .find(|told| told.uids.contains(&change.booking));
            let what = told.map_or("", |told| told.what);
            lines.push_str(&format!("  {:<12} {what}\n", change.what));
            lines.push_str(&format!("               {}\n", textwrap(&change.text)));
        }
        self.say(&format!(
            "Days later the host has moved one evening, one member cancels two hours before, and one\n\
             did not come. The watch follows each charge:\n\n{lines}\n"
        ))
    }

    fn ending(&self) -> Result<(), Refusal> {
        let list = Command::AccountList {
            after: None,
            limit: 100,
            search: None,
        };
        let accounts = local::answer(&self.config, &self.context.clock, &list)?;
        let dinner = &self.bookings[7].uids[0];
        let explain = Command::Explain {
            booking: dinner.clone(),
        };
        let explained = local::answer(&self.config, &self.context.clock, &explain)?;
        let verified = local::answer(&self.config, &self.context.clock, &Command::Verify {})?;
        self.say(&format!(
            "The ledger now (`maitred account list`):\n\n{}\n\
             And why was Faye declined? `maitred explain {dinner}` says:\n\n{}\n\
             `maitred ledger verify`: {}\n\
             Next: `maitred init --config config.toml`, name your event types in it, `maitred check --live`.\n",
            self.plain(&accounts),
            self.plain(&explained),
            self.plain(&verified),
        ))
    }

    async fn pass(&self) -> Result<PassView, Refusal> {
        self.run(Mode::Run).await
    }

    async fn run(&self, mode: Mode) -> Result<PassView, Refusal> {
        let calendar = self.opened.calendar.as_ref();
        let clock = &self.context.clock;
        match local::run_once(&self.config, clock, calendar, mode).await? {
            Answer::Pass(view) => super::run::ended(&view).map(|_| view),
            other => Err(failed(&std::io::Error::other(format!("{other:?}")))),
        }
    }

    /// Calls so far that change anything at Cal.com.
    fn sent(&self) -> u64 {
        let world = self.sandbox.lock();
        let counts = world.journal.counts().iter();
        counts
            .filter(|(kind, _)| !kind.reads())
            .map(|(_, count)| count)
            .sum()
    }

    fn plain(&self, answered: &Answer) -> String {
        answer::plain(answered, &self.context.page())
    }

    fn say(&self, text: &str) -> Result<(), Refusal> {
        print(text.as_bytes()).map(|_| ())
    }
}

fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

fn step<'a>(told: &Told, view: &'a PassView) -> Option<&'a StepView> {
    let uid = &told.uids[0];
    view.steps
        .iter()
        .find(|step| step.bookings.iter().any(|booking| booking == uid))
}

/// One request: what it is about, what became of it, and why.
fn line(told: &Told, view: &PassView) -> String {
    let Some(step) = step(told, view) else {
        return format!("  {:<12} {}\n", "not listed", told.what);
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
        format!("\n               {}", textwrap(&why))
    };
    format!("  {word:<12} {}{credits}{why}\n", told.what)
}

/// Breaks a text for the indented column of reasons.
fn textwrap(text: &str) -> String {
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

fn counted(view: &PassView) -> String {
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

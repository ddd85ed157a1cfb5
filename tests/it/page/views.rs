//! What the views of the web page show.

use std::fmt::Write as _;
use std::fs;

use maitred::daemon::clock;
use maitred::domain::time::Span;

use crate::fixture::binary::wait_until;
use crate::fixture::page_fixture::PageFixture;
use crate::fixture::test_world::WorldBuilder;

const BO: &str = "bo@example.com";

/// The most bytes of a page with its style.
const MAX_PAGE: usize = 300_000;

/// A title that would run if it were not shown as text.
const SCRIPT: &str = "<script>alert(1)</script>";

/// A page in whose world a lesson was confirmed, a dinner waits for an operator, and a stranger was
/// declined. Returns their uids.
fn page_with_bookings() -> (PageFixture, [String; 3]) {
    let world = WorldBuilder::new(clock::system_clock()).title(SCRIPT);
    let page = PageFixture::start_in(world, |fixture| {
        let words = [
            "credits",
            "grant",
            BO,
            "2",
            "--reason",
            "<b>dues</b> & more",
        ];
        fixture.run_ok(&words);
        fixture.run_ok(&["credits", "grant", BO, "1", "--reference", "second"]);
        fixture.run_ok(&["account", "set", BO, "--tier", "gold", "--tag", "founder"]);
    });
    let fixture = &page.fixture;
    let (lesson, dinner) = (fixture.event_types.lesson, fixture.event_types.dinner);
    let confirmed = fixture.request_booking(lesson, BO, "09:00:00Z");
    fixture.run_ok(&["pass"]);
    let waits = fixture.request_booking(dinner, BO, "11:00:00Z");
    let declined = fixture.request_booking(lesson, "stranger@example.net", "13:00:00Z");
    fixture.run_ok(&["pass"]);
    assert_eq!(fixture.status(&confirmed), "accepted");
    assert_eq!(fixture.status(&waits), "pending");
    (page, [confirmed, waits, declined])
}

fn assert_shows(body: &str, parts: &[&str]) {
    for part in parts {
        assert!(body.contains(part), "{part:?} is not in {body}");
    }
}

#[test]
fn each_view_shows_what_the_commands_print() {
    let (page, [confirmed, waits, declined]) = page_with_bookings();
    let overview = page.get_ok("/").body;
    let policy = page.fixture.run_ok(&["status", "--format", "json"]).json()["policy"].clone();
    assert_shows(
        &overview,
        &[
            "<h1>Overview</h1>",
            policy.as_str().unwrap(),
            "href=\"/reviews\">1 request</a> to confirm or decline",
            "waits for a person",
            "short-of-credit",
            &format!("href=\"/bookings/{waits}\""),
            "Times are those of UTC.",
        ],
    );
    let decisions = page.get_ok("/decisions").body;
    for uid in [&confirmed, &waits, &declined] {
        assert_shows(&decisions, &[&format!("href=\"/bookings/{uid}\"")]);
    }
    let only_confirmed = page.get_ok("/decisions?outcome=confirmed&gate=lesson").body;
    assert_shows(&only_confirmed, &[&confirmed]);
    assert!(!only_confirmed.contains(&waits), "{only_confirmed}");
    let later = page.get_ok("/decisions?since=2099-01-01").body;
    assert_shows(&later, &["No decision matches."]);
    assert_eq!(page.get("/decisions?since=soon").status, 400);

    let explain = page.get_ok(&format!("/bookings/{confirmed}")).body;
    for fact in ["hold", "post", "settled"] {
        assert_shows(&explain, &[&format!("data-label=\"kind\">{fact}</td>")]);
    }
    assert_shows(
        &explain,
        &["What each rule found", "Calls, oldest first", "passed"],
    );
    assert_eq!(page.get("/bookings/nowhere").status, 404);

    let bookings = page.get_ok("/bookings").body;
    assert_shows(&bookings, &[&confirmed, "the booking is to come", BO]);
    assert!(!bookings.contains(&waits), "{bookings}");
    assert_shows(
        &page.get_ok("/unresolved").body,
        &["Nothing is unresolved."],
    );
}

#[test]
fn the_charts_show_the_numbers_that_the_command_prints() {
    let (page, _) = page_with_bookings();
    let body = page.get_ok("/charts").body;
    assert_shows(
        &body,
        &[
            "<svg class=\"chart\" role=\"img\" aria-labelledby=\"chart-decisions-title",
            "<title id=\"chart-credits-title\">Credits of each day</title>",
            "<desc id=\"chart-decisions-description\">3 decisions: ",
            "Credits in these days: granted 3, spent 1, refunded 0, expired 0, revoked 0.",
            "<summary>Numbers of the decisions</summary>",
            "<code>unknown-booker</code>",
            "confirm, enough: 1",
            "None in these days: refunded, expired, revoked.",
        ],
    );
    let printed = page
        .fixture
        .run_ok(&["statistics", "--format", "json"])
        .json();
    let mut cells = 0;
    for day in printed["days"].as_array().unwrap() {
        for count in day["decisions"].as_array().unwrap() {
            let row = format!(
                "{}</th><td role=\"cell\" data-label=\"decision\">{}</td><td role=\"cell\" \
                 data-label=\"reason\"><code>{}</code></td><td role=\"cell\" class=\"number\" \
                 data-label=\"number\">{}</td>",
                day["day"].as_str().unwrap(),
                count["decision"].as_str().unwrap(),
                count["reason"].as_str().unwrap(),
                count["count"],
            );
            assert_shows(&body, &[&row]);
            cells += 1;
        }
    }
    assert_eq!(cells, 3);
    for (query, days) in [
        ("", 30),
        ("?days=7", 7),
        ("?days=90", 90),
        ("?days=5000", 30),
    ] {
        let body = page.get_ok(&format!("/charts{query}")).body;
        // A text for each day, in the chart of decisions and in the panels of what was granted and
        // spent.
        assert_eq!(body.matches("<rect ").count(), days * 3, "{query}");
        let shown = format!("aria-current=\"true\">Last {days} days</a>");
        assert_shows(&body, &[&shown]);
        assert!(body.len() < MAX_PAGE, "{} bytes", body.len());
    }
    assert_eq!(page.get("/charts?days=many").status, 400);
}

#[test]
fn a_member_is_shown_with_balance_grants_and_statement() {
    let (page, _) = page_with_bookings();
    let list = page.get_ok("/members");
    assert_shows(&list.body, &[BO, "gold"]);
    let paths = list.attributes("href");
    let path = paths.iter().find(|path| path.starts_with("/members/"));
    let member = page.get_ok(path.unwrap()).body;
    assert_shows(
        &member,
        &[
            "<h1>bo@example.com</h1>",
            "<strong>2</strong>",
            "3 granted, 0 refunded",
            "founder",
            "Grants and revocations, newest first",
            "&lt;b&gt;dues&lt;/b&gt; &amp; more",
            "Entries, newest first",
            "second",
        ],
    );
}

#[test]
fn titles_and_reasons_of_strangers_are_text() {
    let (page, [confirmed, ..]) = page_with_bookings();
    let explain = format!("/bookings/{confirmed}");
    for path in ["/", "/reviews", "/decisions", "/bookings", &explain] {
        let body = page.get_ok(path).body;
        assert!(!body.contains("<script"), "{path}: {body}");
        let title = "&lt;script&gt;alert(1)&lt;/script&gt; between";
        assert!(body.contains(title), "{path}: {body}");
    }
    let echoed = page
        .get_ok("/decisions?gate=%22%3E%3Cscript%3E&outcome=%3Cscript%3E")
        .body;
    assert!(!echoed.contains("<script"), "{echoed}");
    let echoed = page.get_ok("/reviews?recorded=%3Cscript%3E").body;
    assert!(!echoed.contains("<script"), "{echoed}");
}

#[test]
fn a_review_is_confirmed_and_another_declined_with_the_reason_that_the_booker_reads() {
    let (page, [_, waits, _]) = page_with_bookings();
    let fixture = &page.fixture;
    let body = page.get_ok("/reviews").body;
    assert_shows(
        &body,
        &[
            &format!("action=\"/reviews/{waits}\""),
            "3 credits, of 2 available",
            "<button class=\"first\" type=\"submit\">Confirm</button>",
            "<summary>Decline instead</summary>",
        ],
    );
    let path = format!("/reviews/{waits}");
    let answer = page.post(&path, "decision=confirm&reason=agreed+by+phone");
    assert_eq!(answer.status, 303, "{}", answer.body);
    let after = page.get_ok(answer.header("location")).body;
    assert_shows(&after, &["role=\"status\"", &waits, "is recorded"]);
    // The decision overrides the rules of the configuration, and not the ledger.
    fixture.run_ok(&["credits", "grant", BO, "5"]);
    wait_until("the confirmation", || fixture.status(&waits) == "accepted");
    // A browser that sends the form again reads how the request ended.
    let again = page.post(&path, "decision=decline&reason=");
    assert_eq!(again.status, 409, "{}", again.body);
    assert_shows(&again.body, &["was decided already"]);

    let second = fixture.request_booking(fixture.event_types.dinner, "cy@example.com", "15:00:00Z");
    fixture.run_ok(&["credits", "grant", "cy@example.com", "1", "--new"]);
    fixture.run_ok(&["pass"]);
    let path = format!("/reviews/{second}");
    let reason = "We+are+closed+%3Cthat%3E+day.";
    let answer = page.post(&path, &format!("decision=decline&reason={reason}"));
    assert_eq!(answer.status, 303, "{}", answer.body);
    wait_until("the decline", || fixture.status(&second) == "rejected");
    let explain = page.get_ok(&format!("/bookings/{second}")).body;
    assert_shows(&explain, &["We are closed &lt;that&gt; day."]);
    let long = "x".repeat(501);
    let third = fixture.request_booking(fixture.event_types.dinner, "cy@example.com", "17:00:00Z");
    fixture.run_ok(&["pass"]);
    let answer = page.post(
        &format!("/reviews/{third}"),
        &format!("decision=decline&reason={long}"),
    );
    assert_eq!(answer.status, 400, "{}", answer.body);
}

/// Follows the links to the next pages, and returns all pages.
fn all_pages(page: &PageFixture, first: &str) -> Vec<String> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = page.get_ok(&path);
        let link = answer.body.split("rel=\"next\" href=\"").nth(1);
        next = link.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"));
        pages.push(answer.body);
        assert!(pages.len() < 50, "{first} has no end");
    }
    pages
}

#[test]
fn lists_have_pages_that_show_everything_once_and_stay_small() {
    let title = "A title of a length that no calendar needs, ".repeat(20);
    let world = WorldBuilder::new(clock::system_clock()).title(&title);
    let page = PageFixture::start_in(world, |fixture| {
        let mut csv = "account,credits,expires\n".to_owned();
        for number in 0..120 {
            writeln!(csv, "member-{number:03}@example.com,5,").unwrap();
        }
        fs::write(fixture.path("members.csv"), csv).unwrap();
        fixture.run_ok(&["credits", "import", "members.csv"]);
        for _ in 0..60 {
            fixture.run_ok(&["credits", "grant", BO, "1"]);
        }
        for number in 0..60 {
            let who = format!("member-{number:03}@example.com");
            let event_type = match number % 2 {
                0 => fixture.event_types.lesson,
                _ => fixture.event_types.dinner,
            };
            let now = clock::now();
            let start = now + Span::days(7) + Span::hours(number);
            let made = now - Span::minutes(1);
            fixture
                .sandbox
                .lock()
                .request(made, event_type, &who, start);
        }
    });
    let fixture = &page.fixture;
    fixture.run_ok(&["pass"]);
    let style = page.get_ok("/style.css").body.len();
    let members = all_pages(&page, "/members");
    assert_eq!(members.len(), 3);
    for number in 0..120 {
        let name = format!("member-{number:03}@example.com</a>");
        let pages = members.iter().filter(|body| body.contains(&name));
        assert_eq!(pages.count(), 1, "{name}");
    }
    let decisions = all_pages(&page, "/decisions");
    let count = |pages: &[String]| -> usize {
        let rows = pages
            .iter()
            .map(|body| body.matches("<tr role=\"row\">").count() - 1);
        rows.sum()
    };
    let known = fixture.run_ok(&["decisions", "--limit", "1000", "--format", "json"]);
    let known = known.json()["decisions"].as_array().unwrap().len();
    assert_eq!((count(&decisions), known, decisions.len()), (60, 60, 2));
    let found = page.post("/members/find", "text=bo%40");
    let found = page.get_ok(found.header("location")).attributes("href");
    let bo = found
        .iter()
        .find(|path| path.starts_with("/members/"))
        .unwrap();
    let statement = all_pages(&page, bo);
    assert_eq!(statement.len(), 2);
    let rest = statement[1].split("Entries, newest first").nth(1).unwrap();
    let entries = rest.matches("<tr role=\"row\">").count() - 1;
    assert!((10..=12).contains(&entries), "{entries}");

    for body in members.iter().chain(&decisions).chain(&statement) {
        let size = body.len() + style;
        assert!(size < MAX_PAGE, "{size} bytes");
    }
}

/// A page is usable without sight, without a mouse, and in a narrow window.
#[test]
fn every_view_has_a_language_a_title_landmarks_labels_and_captions() {
    let (page, [confirmed, ..]) = page_with_bookings();
    let explain = format!("/bookings/{confirmed}");
    for path in [
        "/",
        "/reviews",
        "/decisions",
        "/members",
        "/bookings",
        "/unresolved",
        "/charts",
        &explain,
    ] {
        let body = page.get_ok(path).body;
        for part in [
            "<html lang=\"en\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<a class=\"skip\" href=\"#content\">",
            "<main id=\"content\"",
            "aria-current=\"page\"",
            "<footer>",
        ] {
            assert!(body.contains(part), "{path}: {part}");
        }
        assert_eq!(body.matches("<h1>").count(), 1, "{path}");
        let count = |part: &str| body.matches(part).count();
        assert_eq!(count("<table"), count("<caption>"), "{path}");
        assert_eq!(count("<th "), count(" scope=\""), "{path}");
        let hidden = count("<input type=\"hidden\"");
        let fields = count("<input ") - hidden + count("<select ");
        assert_eq!(fields, count("<label for=\""), "{path}");
    }
    let style = page.get_ok("/style.css");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    for part in ["prefers-color-scheme: dark", ":focus-visible", "max-width"] {
        assert!(style.body.contains(part), "{part}");
    }
}

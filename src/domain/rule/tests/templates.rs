//! Templates of reasons: their texts, their mistakes, and their limits.

use super::fixtures::request_fixture;
use crate::domain::booking::Answer;
use crate::domain::rule::localized_text::LocalizedText;
use crate::domain::rule::template::{MAX_RENDERED, Template};
use crate::domain::time::Span;

fn template(text: &str) -> Template {
    Template::compile(text).unwrap_or_else(|diagnostic| panic!("{text}: {diagnostic:?}"))
}

#[test]
fn templates_render_what_they_name() {
    let rows = [
        ("Too late.", "Too late."),
        (
            "You are short of {{ request.missing }} credits: {{ request.credits }} are needed, \
             {{ member.balance }} are left.",
            "You are short of 4 credits: 8 are needed, 3 are left.",
        ),
        (
            "From {{ booking.start }} to {{ booking.end }}",
            "From 2026-12-01 18:00 to 2026-12-01 19:00",
        ),
        (
            "{{ booking.notice }}, {{ booking.length }}, {{ now }}",
            "31 h, 1 h, 2026-11-30 12:00",
        ),
        ("  Dear\n\n {{ booker.name }},\u{7}\tno. ", "Dear Bo, no."),
        ("{{ booking.title | upper }} <b>", "RÄUME & BÜCHER <b>"),
        ("{{ member.tags | join(\", \") }}", "board, vip"),
        (
            "{{ member.attributes.level }}{{ booking.answers.count }}{{ booking.answers.half }}",
            "332.5",
        ),
        ("{{ booking.answers[\"my-key\"] }}", "x"),
        ("{{ booking.answers.other | default(\"none\") }}", "none"),
        (
            "{% if member.known %}known{% else %}unknown{% endif %}\
             {% for tag in member.tags %} {{ loop.index }}{{ tag }}{% endfor %}",
            "known 1board 2vip",
        ),
        ("{{ lookup.crm.score }} {{ lookup.vat }}", "7 DE123"),
        ("{% set left = member.balance %}{{ left + 1 }}", "4"),
    ];
    for (text, expect) in rows {
        let rendered = template(text).render(&request_fixture().context());
        assert_eq!(rendered.as_deref(), Ok(expect), "{text}");
    }
}

#[test]
fn durations_are_spoken() {
    let rows = [
        (0, "0 s"),
        (20, "20 s"),
        (60, "1 min"),
        (45 * 60 + 5, "45 min"),
        (90 * 60, "1 h 30 min"),
        (47 * 3_600, "47 h"),
        (76 * 3_600, "3 d 4 h"),
        (-90 * 60, "-1 h 30 min"),
    ];
    for (seconds, expect) in rows {
        let mut fixture = request_fixture();
        fixture.booking.created_at = fixture.booking.start - Span::seconds(seconds);
        let rendered = template("{{ booking.notice }}").render(&fixture.context());
        assert_eq!(rendered.as_deref(), Ok(expect));
    }
}

#[test]
fn what_cannot_be_rendered_is_an_error_for_people() {
    let rows = [
        (
            "{{ booking.answers.other }}",
            "a value that the template uses does not exist",
        ),
        (
            "{{ booking.answers.pin }}",
            "a value that the template uses does not exist",
        ),
        (
            "{{ lookup.gone.score }}",
            "a value that the template uses does not exist",
        ),
        ("{{ booking.description }}", "the template produces no text"),
        (
            "{{ booking.answers.topic + 1 }}",
            "tried to use + operator on unsupported types string and number",
        ),
    ];
    for (text, expect) in rows {
        let rendered = template(text).render(&request_fixture().context());
        assert_eq!(rendered, Err(expect.to_owned()), "{text}");
    }
}

#[test]
fn diagnostics() {
    let rows = [
        (
            "Dear {{ «bookr.name» }}",
            "there is no `bookr`",
            "did you mean `booker`?",
        ),
        (
            "{{ booker.name }} {{ «booker.nam» }}",
            "`booker` has no `nam`",
            "did you mean `booker.name`?",
        ),
        (
            "{% if member.known %}{{ «member.secret» }}{% endif %}",
            "`member` has no `secret`",
            "known are known, id, tier, tags, attributes, balance, frozen, upcoming, day, week, month, next_renewal",
        ),
        (
            "{{ «member» }}",
            "`member` is not a single value",
            "name a field, such as member.known",
        ),
        (
            "{{ «booking.title.length» }}",
            "`booking.title` is string and has no `length`",
            "write booking.title",
        ),
        (
            "ä\n  «{{ booker.name | uper }}»\n",
            "filter uper is unknown",
            "filters are those of minijinja, such as upper, join, default",
        ),
        (
            "«{% include \"x\" %}»",
            "unknown statement include",
            "write {{ name }}, {{ name | filter }} or {% if … %} … {% endif %}",
        ),
        (
            "{{ «debug»() }}",
            "there is no `debug`",
            "known are the names that rules know, such as member.balance",
        ),
        (
            "«{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}»",
            "the template takes too much work",
            "names, filters and conditions are as in Jinja",
        ),
        (
            "«  »",
            "the template is empty",
            "write what the booker should read",
        ),
    ];
    for (row, problem, help) in rows {
        let start = row.find('«').unwrap();
        let end = row.find('»').unwrap() - 2;
        let text = row.replace(['«', '»'], "");
        let diagnostic = Template::compile(&text).unwrap_err();
        assert_eq!(
            (diagnostic.at, &*diagnostic.problem, &*diagnostic.help),
            (start..end, problem, help),
            "{row}"
        );
    }
}

#[test]
fn templates_are_bounded() {
    let mut fixture = request_fixture();
    fixture.booking.title = "ä ".repeat(5_000);
    let rendered = template("{{ booking.title }}")
        .render(&fixture.context())
        .unwrap();
    assert!(
        rendered.chars().count() <= MAX_RENDERED && rendered.ends_with('…'),
        "{rendered}"
    );
    let rows = [
        ("x".repeat(4_097), "the template is 4097 bytes long"),
        (
            format!("{{{{ {} }}}}", "not ".repeat(400)),
            "too much is computed in this template",
        ),
        (
            format!("{{{{ {}1{} }}}}", "(".repeat(13), ")".repeat(13)),
            "too much is computed in this template",
        ),
        (
            format!("{{{{ 1{} }}}}", " + 1".repeat(200)),
            "too much is computed in this template",
        ),
        (
            format!("{{% if {}1 %}}", "-".repeat(400)),
            "too much is computed in this template",
        ),
    ];
    for (text, expect) in rows {
        let diagnostic = Template::compile(&text).unwrap_err();
        assert_eq!(diagnostic.problem, expect, "{text}");
    }
}

/// Templates of the greatest length, on a stack of the usual size.
#[test]
fn no_template_overflows_a_stack() {
    let texts = [
        format!("{{{{ {}true }}}}", "not ".repeat(298)),
        format!("{{{{ {}1 }}}}", "-".repeat(290)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(148)),
        format!("{{{{ 1{} }}}}", " ** 1".repeat(98)),
        format!("{{{{ {}1{} }}}}", "(".repeat(12), ")".repeat(12)),
        format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(70)),
        "{% if true %}".repeat(70),
        "{% for x in member.tags %}".repeat(70),
        "{{ ".repeat(140),
        "{% raw %}".repeat(100),
        format!("{{{{ booking.title{} }}}}", " | upper".repeat(140)),
        format!("{{{{ booking.answers{} }}}}", ".x".repeat(140)),
    ];
    for text in texts {
        let work = move || {
            Template::compile(&text)
                .map(|template| template.render(&request_fixture().context()))
                .is_ok()
        };
        let thread = std::thread::Builder::new()
            .stack_size(2 * 1024 * 1024)
            .spawn(work);
        thread.unwrap().join().unwrap();
    }
}

#[test]
fn secrets_are_not_seen() {
    let fixture = request_fixture();
    for text in [
        "{{ booking.answers }}",
        "{{ member.attributes }} {{ member.tags }} {{ lookup }}",
    ] {
        let rendered = template(text).render(&fixture.context()).unwrap();
        assert!(
            !rendered.contains("1234") && !rendered.contains("argon2"),
            "{rendered}"
        );
    }
    assert_eq!(
        fixture.booking.answers["pin"],
        Answer::Text("1234".to_owned())
    );
}

#[test]
fn words_are_picked_by_language() {
    let localized = |tags: &[&str]| LocalizedText {
        by_language: tags
            .iter()
            .map(|tag| ((*tag).to_owned(), template(tag)))
            .collect(),
    };
    let words = localized(&["en", "de", "pt-BR", "pt"]);
    let rows = [
        (Some("de"), "de"),
        (Some("DE"), "de"),
        (Some("de-CH"), "de"),
        (Some("pt_br"), "pt-BR"),
        (Some("pt-PT"), "pt"),
        (Some("fr"), "en"),
        (Some(""), "en"),
        (None, "en"),
    ];
    for (language, expect) in rows {
        assert_eq!(
            words.for_language(language).map(Template::text),
            Some(expect),
            "{language:?}"
        );
    }
    assert_eq!(localized(&[]).for_language(Some("de")), None);
}

/// Bookers write names, titles and answers, and the reason appears on a public page and in a mail.
#[test]
fn what_a_stranger_wrote_is_cleaned_and_bounded() {
    let mut fixture = request_fixture();
    let mut render_for_name = |name: &str, text: &str| {
        fixture.booking.booker.as_mut().unwrap().name = Some(name.to_owned());
        template(text).render(&fixture.context()).unwrap()
    };
    let long = "x".repeat(300);
    let cut = format!("Hello {}…, no.", "x".repeat(79));
    let rows = [
        ("Bo Booker", "Hello Bo Booker, no."),
        (
            "Zo\u{eb} O'Neill-M\u{fc}ller",
            "Hello Zo\u{eb} O'Neill-M\u{fc}ller, no.",
        ),
        ("<b>Bo</b>", "Hello b Bo /b, no."),
        ("\u{202e}oB\u{202c}\u{200b}", "Hello oB, no."),
        (
            "see https://evil.example",
            "Hello see https evil.example, no.",
        ),
        (
            "Bo\n\nYour booking is confirmed",
            "Hello Bo Your booking is confirmed, no.",
        ),
        (long.as_str(), cut.as_str()),
    ];
    for (name, expect) in rows {
        assert_eq!(
            render_for_name(name, "Hello {{ booker.name }}, no."),
            expect
        );
    }
    // The operator's words stay whole, however much a booker wrote.
    let text = "{{ booker.name }}{{ booker.name }}{{ booker.name }}{{ booker.name }}{{ booker.name }}\
                {{ booker.name }}{{ booker.name }} This is what matters.";
    let rendered = render_for_name(&long, text);
    assert!(rendered.ends_with("This is what matters."), "{rendered}");
    assert!(rendered.chars().count() <= MAX_RENDERED, "{rendered}");
    // Text that the operator noted is not cut.
    let account = fixture.account.as_mut().unwrap();
    account
        .attributes
        .insert("note".to_owned(), "y".repeat(200));
    let rendered = template("{{ member.attributes.note }}").render(&fixture.context());
    assert_eq!(rendered, Ok("y".repeat(200)));
}

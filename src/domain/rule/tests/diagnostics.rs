//! Mistakes in expressions, with their places: «marked» in each row.

use super::fixtures::compile;

/// Takes the marks out of a row. Returns the text, and the place that was between the marks.
fn parse_marked_row(row: &str) -> (String, std::ops::Range<usize>) {
    let start = row.find('«').unwrap();
    let end = row.find('»').unwrap() - '«'.len_utf8();
    (row.replace(['«', '»'], ""), start..end)
}

/// Checks rows of an expression, whose only diagnostic is marked, its problem, and its help.
fn check(rows: &[(&str, &str, &str)]) {
    for (row, problem, help) in rows {
        let (text, at) = parse_marked_row(row);
        let Err(diagnostics) = compile(&text) else {
            panic!("{text} compiles");
        };
        let actual: Vec<_> = diagnostics
            .iter()
            .map(|f| (&f.at, &*f.problem, &*f.help))
            .collect();
        assert_eq!(actual, [(&at, *problem, *help)], "{row}");
    }
}

#[test]
fn names() {
    check(&[
        (
            "«membr».tier == \"x\"",
            "there is no `membr`",
            "did you mean `member`?",
        ),
        (
            "«tier» == \"x\"",
            "there is no `tier`",
            "did you mean `member.tier`?",
        ),
        (
            "member.tier == «gold»",
            "there is no `gold`",
            "known are booking, booker, member, host, now, request, lookup; texts stand in quotes",
        ),
        (
            "booking.«titel» == \"x\"",
            "`booking` has no `titel`",
            "did you mean `title`?",
        ),
        (
            "booker.«timeZone» == \"\"",
            "`booker` has no `timeZone`",
            "did you mean `time_zone`?",
        ),
        (
            "\"ä€𝄞\" == booking . «nonsense»",
            "`booking` has no `nonsense`",
            "known are uid, title, description, start, end, created, length, notice, event_type, \
             event_type_id, location, guests, attendees, answers, metadata, rescheduled, weekday, \
             hour",
        ),
        (
            "«booking» == \"x\"",
            "`booking` is not a single value",
            "name a field, such as booking.uid",
        ),
        (
            "size(«lookup») > 0",
            "`lookup` is not a single value",
            "name the question: lookup.name, has(lookup.name) or \"name\" in lookup",
        ),
        (
            "lookup.«crmm».score > 1",
            "there is no lookup `crmm`",
            "did you mean `crm`?",
        ),
        (
            "has(lookup.«other»)",
            "there is no lookup `other`",
            "configured are crm, gone, vat",
        ),
        (
            "lookup[«\"other\"»] == 1",
            "there is no lookup `other`",
            "configured are crm, gone, vat",
        ),
        (
            "«\"VAD\"» in lookup",
            "there is no lookup `VAD`",
            "did you mean `vat`?",
        ),
        (
            "lookup[«member.tier»] == 1",
            "the name of a lookup must stand here as a text",
            "only what an expression names is asked for: lookup[\"name\"]",
        ),
        (
            "booking.title.«size» > 3",
            "string has no field `size`",
            "only maps have fields, such as booking.answers.topic",
        ),
        (
            "member.tags.«first» == \"x\"",
            "list(string) has no field `first`",
            "only maps have fields; lists are asked with in, size() or exists()",
        ),
        (
            "has(member.«tier»)",
            "`member.tier` is always there",
            "write member.tier != \"\"",
        ),
        (
            "has(member.«tags»)",
            "`member.tags` is always there",
            "write size(member.tags) > 0",
        ),
        (
            "has(member.«known»)",
            "`member.known` is always there",
            "use it without has()",
        ),
        (
            "has( booker . «adress» )",
            "`booker` has no `adress`",
            "did you mean `address`?",
        ),
        (
            "«.booking».title == \"\"",
            "there is no `.booking`",
            "did you mean `booking`?",
        ),
    ]);
}

#[test]
fn types() {
    let same = "let both sides have the same type";
    let duration = "write a duration as duration(\"24h\")";
    let texts = "write texts in quotes and numbers without, or convert with int(…)";
    let null = "nothing here is null: compare with \"\", or ask has(map.key)";
    let instant = "write an instant as timestamp(\"2026-12-01T18:00:00Z\")";
    check(&[
        (
            "booking.notice «>» 24",
            "`>` cannot compare duration with int",
            duration,
        ),
        (
            "booking.notice «>» \"24h\"",
            "`>` cannot compare duration with string",
            duration,
        ),
        (
            "booking.start «<» \"2026-12-01\"",
            "`<` cannot compare timestamp with string",
            instant,
        ),
        (
            "member.balance «==» \"3\"",
            "`==` cannot compare int with string",
            texts,
        ),
        (
            "member.attributes.level «>=» 3",
            "`>=` cannot compare string with int",
            texts,
        ),
        (
            "member.tier «!=» null",
            "`!=` cannot compare string with null",
            null,
        ),
        (
            "booking.answers «<=» 3",
            "`<=` cannot compare map(string, dyn) with int",
            same,
        ),
        (
            "member.tags «==» \"vip\"",
            "`==` cannot compare list(string) with string",
            same,
        ),
        (
            "member.known «<» 3",
            "`<` cannot compare bool with int",
            same,
        ),
        (
            "member.balance «+» member.tier == 3",
            "`+` is not defined for int and string",
            texts,
        ),
        (
            "booking.start «+» booking.end < now",
            "`+` is not defined for timestamp and timestamp",
            instant,
        ),
        (
            "booking.length «*» 2 > booking.notice",
            "`*` is not defined for duration and int",
            duration,
        ),
        (
            "member.balance «/» 2.0 > 1.0",
            "`/` is not defined for int and double",
            "convert one of them with int(…) or double(…)",
        ),
        (
            "2.5 «%» 2.0 == 1.0",
            "`%` is not defined for double and double",
            same,
        ),
        (
            "«-»booking.length > booking.notice",
            "`-` is not defined for duration",
            "write a negative one: duration(\"-1h\")",
        ),
        (
            "«-»member.tier == \"\"",
            "`-` is not defined for string",
            "only int and double have a sign",
        ),
        (
            "«member.balance»",
            "this returns int; a rule must return true or false",
            "compare it with something, such as … > 2 or … == \"gold\"",
        ),
        (
            "«booking.title + booker.name»",
            "this returns string; a rule must return true or false",
            "compare it with something, such as … > 2 or … == \"gold\"",
        ),
        (
            "member.known && «member.tier»",
            "`&&` takes bool, this is string",
            "compare it with something first",
        ),
        (
            "(«member.day - 1») || member.known",
            "`||` takes bool, this is int",
            "compare it with something first",
        ),
        (
            "!«member.day» == true",
            "`!` takes bool, this is int",
            "compare it with something first",
        ),
        (
            "«member.tier» ? true : false",
            "`?` takes bool, this is string",
            "compare it with something first",
        ),
        (
            "member.known ? true : «\"no\"»",
            "one branch gives bool, the other string",
            "let both give the same type",
        ),
        (
            "3 «in» member.tags",
            "`in` cannot look for int in list(string)",
            "look for what the list can hold",
        ),
        (
            "3 «in» booking.answers",
            "`in` cannot look for int in map(string, dyn)",
            "keys of maps are strings",
        ),
        (
            "\"x\" «in» booking.title",
            "`in` cannot look for string in string",
            "write text.contains(part)",
        ),
        (
            "3 «in» member.balance",
            "`in` cannot look for int in int",
            "write a list: [ … ]",
        ),
        (
            "booking.guests[«\"x\"»] == \"\"",
            "string as an index of list(string)",
            "use int",
        ),
        (
            "member.attributes[«3»] == \"\"",
            "int as an index of map(string, string)",
            "use string",
        ),
        (
            "«booking.title»[0] == \"R\"",
            "string has no parts",
            "only lists and maps have",
        ),
        ("{«1»: 2} == {}", "int as a key", "keys are strings: \"…\""),
        (
            "member.day == «3u»",
            "unsigned numbers are not supported",
            "write it without the u",
        ),
        (
            "member.tier == «b\"x\"»",
            "bytes are not supported",
            "write a text, without the b",
        ),
        (
            "«x{a: 1}» == 1",
            "there are no messages here",
            "write a map: {\"key\": value}",
        ),
    ]);
}

#[test]
fn calls() {
    check(&[
        (
            "booking.title.«startswith»(\"x\")",
            "there is no function `startswith`",
            "did you mean `startsWith`?",
        ),
        (
            "«len»(booking.title) > 3",
            "there is no function `len`",
            "known are size, startsWith, endsWith, contains, matches, duration, timestamp, int, \
          double, string, bool, has, exists, all, map, filter and the get… of timestamps",
        ),
        (
            "«type»(booking.title) == \"\"",
            "there is no function `type`",
            "known are size, startsWith, endsWith, contains, matches, duration, timestamp, int, \
          double, string, bool, has, exists, all, map, filter and the get… of timestamps",
        ),
        (
            "booking.title.«startsWith»()",
            "`startsWith` is called in another way",
            "write string.startsWith(string)",
        ),
        (
            "«startsWith»(booking.title, \"x\")",
            "`startsWith` is called in another way",
            "write string.startsWith(string)",
        ),
        (
            "\"24h\".«duration»() > booking.notice",
            "`duration` is called in another way",
            "write duration(string)",
        ),
        (
            "booking.title.startsWith(«3»)",
            "`startsWith` does not take int",
            "it takes string",
        ),
        (
            "size(«member.balance») > 3",
            "`size` does not take int",
            "it takes string or list(dyn) or map(string, dyn)",
        ),
        (
            "«member.tags».contains(\"vip\")",
            "`contains` does not take list(string)",
            "write value in list",
        ),
        (
            "booking.start.getHours(«3») > 8",
            "`getHours` does not take int",
            "it takes string",
        ),
        (
            "booking.title.matches(«\"[a\"»)",
            "this is no pattern: unclosed character class",
            "patterns are those of the regex crate, without look-around; use smaller repetitions",
        ),
        (
            "booking.title.matches(«\"\\\\w{500}\"»)",
            "this is no pattern: it is too large when it is compiled",
            "patterns are those of the regex crate, without look-around; use smaller repetitions",
        ),
        (
            "matches(booking.title, «member.tier»)",
            "the pattern of `matches` must stand here as a text",
            "patterns are compiled when the configuration is read: matches(r\"^\\d+$\")",
        ),
        (
            "booking.notice > duration(«\"1d\"»)",
            "this is not a duration",
            "write numbers with h, m or s, such as \"36h\" or \"1h30m\"; a day is \"24h\"",
        ),
        (
            "booking.notice > duration(«\"1h 30m\"»)",
            "this is not a duration",
            "write numbers with h, m or s, such as \"36h\" or \"1h30m\"; a day is \"24h\"",
        ),
        (
            "booking.notice > duration(«\"9999999h\"»)",
            "this is not a duration",
            "write numbers with h, m or s, such as \"36h\" or \"1h30m\"; a day is \"24h\"",
        ),
        (
            "booking.start > timestamp(«\"2026-12-01\"»)",
            "this is not an instant",
            "write date, time and offset: \"2026-12-01T18:00:00+01:00\"",
        ),
        (
            "member.tags.«exists»(tag)",
            "`exists` is called in another way",
            "write it as in member.tags.exists(tag, tag == \"vip\")",
        ),
        (
            "member.tags.«map»() == []",
            "`map` is called in another way",
            "write list.map(name, value), or list.map(name, condition, value)",
        ),
        (
            "member.tags.exists(tag, tag == «tagg»)",
            "there is no `tagg`",
            "did you mean `tag`?",
        ),
        (
            "member.tags.exists(«booker», booker == \"\")",
            "`booker` is taken",
            "use another name for it",
        ),
        (
            "member.tags.exists(tag, tag «>» 3)",
            "`>` cannot compare string with int",
            "write texts in quotes and numbers without, or convert with int(…)",
        ),
        (
            "member.tags.exists(tag, «size(tag)»)",
            "`exists` takes bool, this is int",
            "compare it with something first",
        ),
        (
            "member.tags.filter(tag, «tag») == []",
            "`filter` takes bool, this is string",
            "compare it with something first",
        ),
        (
            "«member.balance».all(x, x == 3)",
            "int has nothing to go through",
            "macros go through lists and maps",
        ),
        (
            "member.tags.all(a, booking.guests.«exists»(b, a == b))",
            "`exists` inside of another macro",
            "macros do not nest: what one costs would be multiplied; split it into two rules",
        ),
    ]);
}

#[test]
fn grammar() {
    let expected = "expected is a condition such as member.balance > 2 && booking.hour >= 9";
    let ends = "something is missing behind its last word";
    check(&[
        (
            "«»",
            "there is no expression",
            "write a condition such as member.tier == \"gold\"",
        ),
        (
            "«»  // only a remark",
            "there is no expression",
            "write a condition such as member.tier == \"gold\"",
        ),
        (
            "member.tier «=» \"gold\"",
            "`=` is not understood here",
            "write == to compare",
        ),
        (
            "member.known «and» true",
            "`and` is not understood here",
            "write && for and",
        ),
        (
            "member.known «or» true",
            "`or` is not understood here",
            "write || for or",
        ),
        (
            "member.known «&» true",
            "`&` is not understood here",
            "write && for and",
        ),
        (
            "not «member».known",
            "`member` is not understood here",
            expected,
        ),
        ("member.day >«»", "the expression ends too early", ends),
        (
            "member.title == 'ü' &&«»  // and",
            "the expression ends too early",
            ends,
        ),
        (
            "«(»member.known",
            "`(` is not closed",
            "add the `)` that belongs to it",
        ),
        (
            "member.day in «[»1, 2",
            "`[` is not closed",
            "add the `]` that belongs to it",
        ),
        (
            "(member.day in «[»1, 2)]",
            "`[` is not closed",
            "add the `]` that belongs to it",
        ),
        (
            "member.known«)»",
            "`)` closes nothing",
            "remove it, or open it before",
        ),
        (
            "member.tier == «\"gold»",
            "this text is not closed",
            "add the \" that belongs to it",
        ),
        (
            "member.tier == «'''gold'»",
            "this text is not closed",
            "add the ''' that belongs to it",
        ),
        (
            "member.tier == «\"\\d\"»",
            "`\"\\d\"` is not understood here",
            "write \\\\ for a backslash in a text, or put an r before it: r\"\\d+\"",
        ),
        (
            "member.day == «99999999999999999999»",
            "this is not a number that can be counted with",
            "whole numbers go up to 9223372036854775807",
        ),
        (
            "«while» == 3",
            "`while` is a reserved word",
            "use another name",
        ),
        (
            "booking.answers«.»?topic == 3",
            "`.` is not understood here",
            expected,
        ),
        (
            "'ä' «@» member.tier",
            "`@` is not understood here",
            expected,
        ),
        (
            "member.known\n  && member.day «5»",
            "`5` is not understood here",
            expected,
        ),
        (
            "has(«member»)",
            "has() asks whether a map has a key",
            "write has(map.key), such as has(booking.answers.topic)",
        ),
        (
            "member.tags.exists(«1», true)",
            "the first thing in these brackets must be a new name",
            "write it as in member.tags.exists(tag, tag == \"vip\")",
        ),
    ]);
}

#[test]
fn all_diagnostics_are_reported_at_once_in_order() {
    let text = "membr.tier == 3 && booking.titel == \"x\" && member.balance > \"3\"";
    let diagnostics = compile(text).unwrap_err();
    let actual: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| &text[diagnostic.at.clone()])
        .collect();
    assert_eq!(actual, ["membr", "titel", ">"]);
}

//! Documents, comments and messages are in plain language: idioms that readers have to guess are
//! refused, with a proposal for each. A place is added to the list when all of its texts pass.

use std::fs;
use std::path::{Path, PathBuf};

/// Idioms that readers have to guess, and what to write instead.
const IDIOMS: [(&str, &str); 24] = [
    ("nobody", "say who does not, or use the passive voice"),
    ("nobody's", "say whose it is not"),
    ("whoever", "who, the person who"),
    ("somebody's", "another person's"),
    ("anew", "again"),
    ("beside", "next to, in addition to, while"),
    ("for ever", "forever, without end"),
    ("in vain", "without effect"),
    ("of it", "name the thing"),
    ("stands for", "means, represents"),
    ("stand for", "mean, represent"),
    ("goes on", "continues"),
    ("go on", "continue"),
    ("lets in", "admits"),
    ("let in", "admit, admitted"),
    ("is told", "say who tells whom: reads, receives, sees"),
    ("are told", "say who tells whom: read, receive, see"),
    ("comes to nothing", "has no effect"),
    ("in hand", "current"),
    ("so long before", "that long before"),
    ("the how manieth", "which one"),
    ("he", "they"),
    ("his", "their"),
    ("mended", "corrected, fixed"),
];

/// Where the idioms are refused: Markdown pages, the comments of all other files, and the texts of
/// the library that are not in tests.
const PLAIN_LANGUAGE_PLACES: [&str; 12] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "config.toml",
    "systemd",
    "packaging",
    "docs",
    "src",
    "tests",
    "benches",
];

#[test]
fn documents_are_in_plain_language() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for place in PLAIN_LANGUAGE_PLACES {
        for path in text_files(&root.join(place)) {
            let text = fs::read_to_string(&path).unwrap();
            let prose = match path.extension().and_then(|extension| extension.to_str()) {
                Some("md") => prose_of_page(&text),
                Some("rs") => comments(&text, "//")
                    .into_iter()
                    .chain(messages(&path, &text))
                    .collect(),
                _ => comments(&text, "#"),
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            for (line, text) in prose {
                let found = IDIOMS.iter().filter(|(idiom, _)| has_words(&text, idiom));
                wrong.extend(found.map(|(idiom, say)| format!("{name}:{line}: {idiom:?}: {say}")));
            }
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} idioms:\n{}", wrong.join("\n"));
}

/// Returns the Markdown pages and Rust sources of a folder, or the file itself.
fn text_files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_path_buf()];
    }
    let entries = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    let known = |path: &PathBuf| {
        let extension = path.extension();
        path.is_dir() || extension.is_some_and(|extension| extension == "md" || extension == "rs")
    };
    entries
        .iter()
        .filter(|path| known(path))
        .flat_map(|path| text_files(path))
        .collect()
}

/// Returns the lines of a page outside fenced blocks, without the text in code spans.
fn prose_of_page(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut prose = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            prose.push((number, without_code(line)));
        }
    }
    prose
}

/// Returns the comments of a source, without the text in code spans.
fn comments<'a>(text: &'a str, mark: &str) -> Vec<(usize, String)> {
    let comment = |line: &'a str| {
        line.split_once(mark)
            .map(|(_, comment)| without_code(comment))
    };
    let numbered = (1..).zip(text.lines());
    numbered
        .filter_map(|(number, line)| Some((number, comment(line)?)))
        .collect()
}

/// Returns the texts of a source of the library outside its tests, with the lines where they begin.
/// One word is a key or a code, and no message.
fn messages(path: &Path, source: &str) -> Vec<(usize, String)> {
    let path = path.to_string_lossy();
    if !path.contains("/src/") || path.contains("/tests/") || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut texts = Vec::new();
    // Each text that is open, with the line where it began.
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(code.lines()) {
        if open.is_none() && line.trim_start().starts_with("//") {
            continue;
        }
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (&mut open, c) {
                (None, '"') => open = Some((number, String::new())),
                // A quote in apostrophes is a character and opens nothing.
                (None, '\'') if chars.as_str().starts_with("\"'") => {
                    chars.nth(1);
                }
                (None, _) => {}
                (Some(_), '"') => texts.extend(open.take()),
                (Some((_, text)), '\\') => {
                    text.push(' ');
                    chars.next();
                }
                (Some((_, text)), c) => text.push(c),
            }
        }
        if let Some((_, text)) = &mut open {
            text.push(' ');
        }
    }
    texts.retain(|(_, text)| text.split_whitespace().count() > 1);
    texts
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<&str>>().join(" ")
}

/// Returns true if the text has these words next to each other, in lower or upper case.
fn has_words(text: &str, words: &str) -> bool {
    let separates = |c: char| !c.is_alphanumeric() && c != '\'';
    let split = |text: &str| {
        let words = text.to_lowercase();
        let words = words.split(separates).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    let (text, words) = (split(text), split(words));
    text.windows(words.len()).any(|window| window == words)
}

#[test]
fn messages_are_the_texts_of_the_library() {
    let source = "let a = \"go\";\n// \"a b\"\nlet b = '\"';\nlet c = \"it \\\"goes \\\n     on\\n\";\n\
                  #[cfg(test)]\nmod tests {\n\"go on\"\n}\n";
    let texts = messages(Path::new("/x/src/a.rs"), source);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(texts[0].0, 4);
    assert!(has_words(&texts[0].1, "goes on"));
    assert!(messages(Path::new("/x/tests/a.rs"), source).is_empty());
}

#[test]
fn idioms_are_found_in_prose_and_comments_only() {
    let page = "Nobody waits.\n```text\nanew\n```\nUse `beside`, and goes\non, or GOES on.\n";
    let found: Vec<(usize, &str)> = prose_of_page(page)
        .iter()
        .flat_map(|(line, text)| {
            let idioms = IDIOMS.iter().filter(|(idiom, _)| has_words(text, idiom));
            idioms.map(|(idiom, _)| (*line, *idiom)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, [(1, "nobody"), (6, "goes on")]);
    let source = "let he = 1; /\u{2f} of it\n/// `nobody` or somebody\n";
    let words: Vec<String> = comments(source, "//")
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert!(
        has_words(&words[0], "of it") && !has_words(&words[1], "nobody"),
        "{words:?}"
    );
}

//! Reads a page: its fenced blocks, and the marks in HTML comments above them.
//!
//! - A block ```` ```console ```` holds commands after `$ ` and the output they print.
//! - A block whose fence names a file (```` ```toml config.toml ````) is the text of that file.
//! - `<!-- not run: REASON -->` on the line above a console block: the commands need something that
//!   a test does not have. They are only checked for syntax.
//! - `<!-- machine: REASON -->` likewise: the commands are run on a machine of the test's own
//!   (`tests/docs/package/first_decision.rs`).
//! - `<!-- exit: CODE -->` on the line above a console block: its last command ends with that code.

use std::fs;
use std::path::{Path, PathBuf};

const NOT_RUN_MARK: &str = "<!-- not run: ";
const MACHINE_MARK: &str = "<!-- machine: ";
const EXIT_MARK: &str = "<!-- exit: ";
const END_OF_MARK: &str = " -->";

/// A page of the documentation.
pub struct Page {
    /// Its path in the repository, such as `docs/refunds.md`.
    pub path: String,
    pub text: String,
}

/// A fenced block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The first word of the fence, or an empty text.
    pub language: String,
    /// The second word of the fence: the file that the block shows.
    pub file: Option<String>,
    pub text: String,
    /// The line of the fence, counted from 1.
    pub line: usize,
    /// Why the block is not run by the test of its page.
    pub not_run: Option<String>,
    /// Why the block is run on a machine of the test's own.
    pub machine: Option<String>,
    pub exit: i32,
}

/// A command of a console block and the lines that the page shows under it.
pub struct ShownCommand {
    pub command: String,
    pub lines: Vec<String>,
    pub exit: i32,
}

/// Returns README.md, the other pages of the repository's root, and every page under `docs/`.
pub fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    collect(&root.join("docs"), &mut paths);
    let page = |path: &PathBuf| Page {
        path: path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(page).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

/// Returns the fenced blocks of a page in their order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    // In a list the fence and its lines are indented.
    let mut indent = 0;
    let mut above = "";
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(fence), None) => {
                indent = line.len() - line.trim_start().len();
                open = Some(begin_block(fence, number, above));
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => {}
        }
        above = line;
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn begin_block(fence: &str, line: usize, above: &str) -> Block {
    let mut words = fence.split_whitespace().map(str::to_owned);
    let mark = |name: &str| {
        above
            .trim()
            .strip_prefix(name)?
            .strip_suffix(END_OF_MARK)
            .map(str::to_owned)
    };
    Block {
        language: words.next().unwrap_or_default(),
        file: words.next(),
        text: String::new(),
        line,
        not_run: mark(NOT_RUN_MARK).or_else(|| mark(MACHINE_MARK)),
        machine: mark(MACHINE_MARK),
        exit: mark(EXIT_MARK).map_or(0, |code| code.parse().unwrap()),
    }
}

impl Block {
    /// Returns the commands of a console block. A line that ends with `\` continues on the next
    /// line.
    pub fn commands(&self) -> Vec<ShownCommand> {
        let mut found: Vec<ShownCommand> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            match (line.strip_prefix("$ "), goes_on) {
                (Some(command), false) => found.push(ShownCommand {
                    command: command.to_owned(),
                    lines: Vec::new(),
                    exit: 0,
                }),
                (_, true) => {
                    let last = found.last_mut().unwrap();
                    last.command.push('\n');
                    last.command.push_str(line);
                }
                (None, false) => match found.last_mut() {
                    Some(last) => last.lines.push(line.to_owned()),
                    None => panic!("line {}: the block begins without `$ `", self.line),
                },
            }
            goes_on =
                line.ends_with('\\') && found.last().is_some_and(|last| last.lines.is_empty());
        }
        if let Some(last) = found.last_mut() {
            last.exit = self.exit;
        }
        found
    }
}

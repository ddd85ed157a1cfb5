//! The sources as a graph of modules: no import cycles within a part, and no public type name twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{SourceFile, source_files, src_folder};

type Module = Vec<String>;

/// Returns the module that a file is; `None` for `main.rs` and `lib.rs`.
fn module_of(path: &Path) -> Option<Module> {
    let relative = path.strip_prefix(src_folder()).ok()?.with_extension("");
    let mut segments: Module = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if segments.last().is_some_and(|last| last == "mod") {
        segments.pop();
    }
    let is_root = segments.len() == 1 && matches!(segments[0].as_str(), "main" | "lib");
    (!is_root).then_some(segments)
}

fn is_test_module(module: &Module) -> bool {
    module
        .iter()
        .any(|part| part == "tests" || part == "test_fixtures")
}

/// Returns the code of a file without comments and without its tests at the end.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let without_comment =
        |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(without_comment).collect()
}

/// Splits the groups of a `use` path: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn expand_groups(path: &str) -> Vec<String> {
    let Some(open) = path.find('{') else {
        return vec![
            path.split(" as ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        ];
    };
    let close = path.rfind('}').unwrap_or(path.len());
    let (prefix, group) = (&path[..open], &path[open + 1..close]);
    let mut depth = 0;
    let items = group.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    items
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .flat_map(|item| expand_groups(&format!("{prefix}{item}")))
        .collect()
}

/// Returns the paths that begin with `root`, up to the first character that is part of no path.
fn paths_after(text: &str, root: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    text.match_indices(root)
        .filter(|(at, _)| !text[..*at].chars().next_back().is_some_and(is_path))
        .map(|(at, _)| text[at..].chars().take_while(|c| is_path(*c)).collect())
        .collect()
}

/// Returns the modules that the code of a module names. A path is cut until it names a module.
fn targets(module: &Module, code: &str, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut paths: Vec<String> = Vec::new();
    let mut statement: Option<String> = None;
    for line in code.lines().map(str::trim) {
        let imported = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
            .iter()
            .find_map(|begin| line.strip_prefix(begin));
        if let (Some(rest), None) = (imported, &statement) {
            statement = Some(rest.to_owned());
        } else if let Some(statement) = &mut statement {
            statement.push_str(line);
        }
        if line.ends_with(';')
            && let Some(whole) = statement.take()
        {
            paths.extend(expand_groups(whole.trim_end_matches(';')));
        }
    }
    for root in ["crate::", "super::"] {
        paths.extend(paths_after(code, root));
    }
    let mut found = BTreeSet::new();
    for path in paths {
        let mut segments: Vec<&str> = path.split("::").collect();
        let mut full: Module = Vec::new();
        match segments.first() {
            Some(&"crate") => drop(segments.remove(0)),
            Some(&("super" | "self")) => {
                full.clone_from(module);
                while let Some(first @ ("super" | "self")) = segments.first().copied() {
                    if first == "super" {
                        full.pop();
                    }
                    segments.remove(0);
                }
            }
            _ => full.clone_from(module),
        }
        full.extend(segments.iter().map(|segment| (*segment).to_owned()));
        while !full.is_empty() && !modules.contains(&full) {
            full.pop();
        }
        // A part of a module may use what the module itself holds.
        if !full.is_empty() && !module.starts_with(&full) {
            found.insert(full);
        }
    }
    found
}

fn graph(sources: &[SourceFile]) -> BTreeMap<Module, BTreeSet<Module>> {
    let named = sources.iter().filter_map(|source| {
        let module = module_of(&source.path)?;
        (!is_test_module(&module)).then_some((module, &source.text))
    });
    let named: BTreeMap<Module, &String> = named.collect();
    let modules: BTreeSet<Module> = named.keys().cloned().collect();
    named
        .iter()
        .map(|(module, text)| (module.clone(), targets(module, &code(text), &modules)))
        .collect()
}

/// Returns the modules that can reach themselves.
fn modules_in_cycles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let reaches_itself = |start: &Module| {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut open: Vec<&Module> = graph[start].iter().collect();
        while let Some(module) = open.pop() {
            if module == start {
                return true;
            }
            if seen.insert(module) {
                open.extend(graph.get(module).into_iter().flatten());
            }
        }
        false
    };
    let cyclic = graph.keys().filter(|module| reaches_itself(module));
    cyclic.map(|module| module.join("::")).collect()
}

#[test]
fn modules_have_no_import_cycles() {
    let cyclic = modules_in_cycles(&graph(&source_files()));
    assert!(
        cyclic.is_empty(),
        "modules in cycles of imports: {cyclic:#?}"
    );
}

#[test]
fn a_cycle_of_imports_is_found() {
    let source = |name: &str, text: &str| SourceFile {
        path: src_folder().join(name),
        text: text.to_owned(),
    };
    let cyclic = |sources: &[SourceFile]| modules_in_cycles(&graph(sources));
    let direct = [
        source("a/b.rs", "use crate::a::{c::One, d};\n"),
        source("a/c.rs", "fn f() -> super::b::Two {}\n"),
        source("a/d.rs", "use std::fs;\n"),
    ];
    assert_eq!(cyclic(&direct), ["a::b", "a::c"]);
    let over_three = [
        source("a/b.rs", "use super::c;\n"),
        source("a/c.rs", "use super::d::{\n    Three,\n};\n"),
        source("a/d.rs", "use crate::a::b::Two as Other;\n"),
    ];
    assert_eq!(cyclic(&over_three), ["a::b", "a::c", "a::d"]);
    let none = [
        source("a/b.rs", "mod e;\nuse e::Four;\n// use super::c;\n"),
        source("a/b/e.rs", "use super::Two;\n"),
        source("a/c.rs", "use super::b::Two;\n#[cfg(test)]\nmod tests {\n"),
    ];
    assert_eq!(cyclic(&none), [""; 0]);
}

/// Returns the names of the types that the text makes public, with their lines.
fn public_types(text: &str) -> Vec<(usize, String)> {
    let declared = |line: &str| {
        if line.trim_start().starts_with("//") {
            return None;
        }
        let words: Vec<&str> = line
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty() && !matches!(*word, "crate" | "super"))
            .collect();
        match words.as_slice() {
            ["pub", "struct" | "enum" | "trait" | "type", name, ..] => Some((*name).to_owned()),
            _ => None,
        }
    };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(n, line)| Some((n + 1, declared(line)?)))
        .collect()
}

#[test]
fn public_type_names_stand_for_one_type() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in source_files() {
        if module_of(&source.path).is_some_and(|module| is_test_module(&module)) {
            continue;
        }
        for (line, name) in public_types(&source.text) {
            let place = format!("{}:{line}", source.path.display());
            places.entry(name).or_default().push(place);
        }
    }
    assert!(places.len() > 300, "types are found");
    places.retain(|_, places| places.len() > 1);
    assert!(
        places.is_empty(),
        "public types of the same name: {places:#?}"
    );
}

#[test]
fn public_types_are_recognized() {
    let text = "pub struct One;\npub(super) enum Two {}\n    pub trait Three {}\n\
                struct Private;\npub fn f() {}\n// pub struct Comment;\n";
    let names: Vec<String> = public_types(text)
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["One", "Two", "Three"]);
}

#[test]
fn the_graph_covers_the_sources() {
    let graph = graph(&source_files());
    assert!(graph.len() > 300, "{} modules", graph.len());
    let edges: usize = graph.values().map(BTreeSet::len).sum();
    assert!(edges > 1_000, "{edges} imports");
}

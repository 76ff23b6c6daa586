//! Ceilings: a source file has at most 700 lines, a function at most 100. No exceptions, but that a
//! test's table of cases may be as long as it has cases.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

#[path = "support/sources.rs"]
mod sources;

use std::fs;
use std::path::Path;

const FILE_LINES: usize = 700;
const FUNCTION_LINES: usize = 100;

/// Functions longer than the ceiling, as (first line, lines); tests do not count.
///
/// rustfmt indents a function's closing brace like its first line, so no parsing is needed.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let is_test = first > 0 && lines[first - 1].trim() == "#[test]";
        if is_test || !begins_function(line.trim_start()) {
            continue;
        }
        let closes = |line: &&str| {
            line.trim_start().starts_with(['}', ')'])
                && line.len() - line.trim_start().len() == indent
        };
        let ends_here = |line: &&str| line.ends_with('}') || line.ends_with(';');
        if ends_here(line) {
            continue;
        }
        let body = lines[first + 1..].iter().position(|line| {
            closes(line) && (line.trim_start().starts_with('}') || ends_here(line))
        });
        let length = body.map_or(lines.len() - first, |last| last + 2);
        if length > FUNCTION_LINES {
            long.push((first + 1, length));
        }
    }
    long
}

fn begins_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| {
        !(word.starts_with("pub")
            || ["const", "async", "unsafe", "extern"].contains(word)
            || word.starts_with('"')
            || *word == "crate)"
            || word.starts_with("in"))
    }) == Some("fn")
}

#[test]
fn no_file_and_no_function_is_over_its_ceiling() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in sources::sources(&root.join(folder)) {
            let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            if lines > FILE_LINES {
                found.push(format!("{file}: {lines} lines"));
            }
            for (line, length) in long_functions(&text) {
                found.push(format!("{file}:{line}: a function of {length} lines"));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_checker_measures_functions() {
    let function = |head: &str, lines: usize| {
        format!("{head} {{\n{}}}\n\nfn next() {{\n}}\n", "    {\n    }\n".repeat(lines / 2))
    };
    assert_eq!(long_functions(&function("fn f()", 98)), []);
    assert_eq!(long_functions(&function("fn f()", 100)), [(1, 102)]);
    let head = "pub(crate) const unsafe fn f(\n    a: u8,\n) -> u8";
    assert_eq!(long_functions(&function(head, 96)), []);
    assert_eq!(long_functions(&function(head, 100)), [(1, 104)]);
    assert_eq!(long_functions(&function("#[test]\nfn f()", 200)), []);
    assert_eq!(long_functions(&function("// fn in a comment\nstruct S", 200)), []);
}

/// The names in the last column of the tables of `SPECIFICATION.md` whose head is "kept by", with their lines.
fn keepers(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut is_kept = false;
    for (number, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            is_kept = false;
            continue;
        }
        let last = line.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        if last.trim() == "kept by" {
            is_kept = true;
        } else if is_kept {
            let quoted = last.split('`').skip(1).step_by(2);
            names.extend(quoted.map(|name| (number + 1, name.to_owned())));
        }
    }
    names
}

/// Whether a file, or a module of ours with its last part perhaps within a file, has this name. Words that are neither are
/// filters of what stands before them.
fn is_there(root: &Path, modules: &[(String, String)], name: &str) -> bool {
    if name.contains(' ') {
        return true;
    }
    if name.contains('/') {
        return root.join(name).exists();
    }
    let Some((before, last)) = name.rsplit_once("::") else { return true };
    let ends = |module: &str, with: &str| {
        module.strip_suffix(with).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    };
    modules.iter().any(|(module, text)| {
        let is_within =
            || text.contains(&format!("mod {last}")) || text.contains(&format!("fn {last}("));
        ends(module, name) || (ends(module, before) && is_within())
    })
}

#[test]
fn what_the_specification_names_as_keeping_a_promise_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let module = |path: std::path::PathBuf| {
        let name = path.strip_prefix(root.join("src")).unwrap().with_extension("");
        let name = name.to_string_lossy().replace('/', "::");
        let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    let modules: Vec<_> = sources::sources(&root.join("src")).into_iter().map(module).collect();
    let names = keepers(&fs::read_to_string(root.join("SPECIFICATION.md")).unwrap());
    assert!(names.len() > 300, "only {} names were found", names.len());
    let lost = names.iter().filter(|(_, name)| !is_there(root, &modules, name));
    let lost: Vec<String> = lost.map(|(line, name)| format!("line {line}: {name}")).collect();
    assert!(lost.is_empty(), "\n{}", lost.join("\n"));
    for name in ["tests/nothing.rs", "call::nothing", "ear::tests::nothing", "all::tests"] {
        assert!(!is_there(root, &modules, name), "{name}");
    }
}

//! Which modules of a crate use which, as far as its sources say by `use`, `crate::` and `super::`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path inside its crate, such as `["optimize", "schedule"]`. The crate's root, which declares the
/// others and gives their items out, is none.
type Module = Vec<String>;

/// The modules of a crate, each with those that it uses outside of tests.
#[derive(Debug, Default)]
pub struct ModuleGraph {
    uses: BTreeMap<Module, BTreeSet<Module>>,
}

impl ModuleGraph {
    /// Reads every source file under `src`.
    ///
    /// # Panics
    ///
    /// If there is no such folder.
    pub fn of(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        read(src, &mut Vec::new(), &mut files);
        let known: BTreeSet<&Module> = files.keys().collect();
        let uses = |(module, text): (&Module, &String)| {
            let parts = inline_modules(module, &without_tests(&without_comments(text)));
            let paths = parts.iter().flat_map(|(module, text)| paths(module, text));
            let used = paths.filter_map(|path| longest(&path, &known));
            (module.clone(), used.filter(|used| used != module).collect())
        };
        Self { uses: files.iter().map(uses).collect() }
    }

    /// Modules that use each other, directly or by way of others; empty if there are none.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.uses.keys().map(|module| (module, self.reached_from(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            let circle: Vec<String> = others
                .iter()
                .filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)))
                .map(|other| other.join("::"))
                .collect();
            if others.contains(module) {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Module> = self.uses[module].iter().collect();
        while let Some(module) = next.pop() {
            if reached.insert(module) {
                next.extend(self.uses.get(module).into_iter().flatten());
            }
        }
        reached
    }
}

/// Lines of the sources under `folder` that are not those of unit tests.
///
/// # Panics
///
/// If there is no such folder.
pub fn lines_of_code(folder: &Path) -> usize {
    let mut files = BTreeMap::new();
    read(folder, &mut Vec::new(), &mut files);
    files.values().map(|text| without_tests(text).lines().count()).sum()
}

/// The sources under a folder by their modules; the text of the crate's root is left out.
fn read(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            module.push(stem);
            read(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|it| it == "rs") {
            let is_root = module.is_empty() && ["lib", "main"].contains(&stem.as_str());
            let is_parent = stem == "mod";
            let name = if is_parent { None } else { Some(stem) };
            if !is_root {
                let whole = module.iter().cloned().chain(name).collect();
                files.insert(whole, fs::read_to_string(&path).unwrap());
            }
        }
    }
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The text without what is compiled for tests only. Such items begin at the left edge, as `cargo fmt` puts them.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" && !line.starts_with("#[cfg(all(test, ") {
            kept.push(line);
            continue;
        }
        // To the end of the item: `mod sample;`, or a line that closes what was opened.
        for line in lines.by_ref() {
            let is_whole = line.ends_with(';') && !line.starts_with(' ');
            if is_whole || line == "}" || line == "};" {
                break;
            }
        }
    }
    kept.join("\n")
}

/// A file's text outside of the modules that it holds, and the text of each of those, as `cargo fmt` indents them.
fn inline_modules(module: &Module, text: &str) -> Vec<(Module, String)> {
    let mut parts = vec![(module.clone(), String::new())];
    // Of each module that is open: its place among the parts, and the line that closes it.
    let mut open: Vec<(usize, String)> = vec![(0, String::new())];
    for line in text.lines() {
        let code = line.trim_start();
        let name = code.strip_suffix(" {").and_then(|head| {
            let (before, name) = head.rsplit_once("mod ")?;
            (before.is_empty() || before.starts_with("pub")).then_some(name)
        });
        let (part, _) = open[open.len() - 1];
        if let Some(name) = name {
            let inside = parts[part].0.iter().cloned().chain([name.to_owned()]).collect();
            let indent = &line[..line.len() - code.len()];
            open.push((parts.len(), format!("{indent}}}")));
            parts.push((inside, String::new()));
        } else if open.len() > 1 && open[open.len() - 1].1 == line {
            open.pop();
        } else {
            parts[part].1 += line;
            parts[part].1.push('\n');
        }
    }
    parts
}

/// The module that a path leads to: as much of it as is one.
fn longest(path: &Module, known: &BTreeSet<&Module>) -> Option<Module> {
    (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|it| known.contains(it))
}

/// Every path of `text` that begins inside the crate, from its root.
fn paths(module: &Module, text: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for statement in text.split(';') {
        let tree = statement.rsplit_once("use ").map(|(before, tree)| (before.trim_end(), tree));
        match tree {
            Some((before, tree))
                if before.is_empty() || before.ends_with([')', 'b', '{', '}', ']']) =>
            {
                expand(&[], tree, &mut paths);
            }
            _ => {}
        }
        paths.extend(inline(statement));
    }
    paths.iter().filter_map(|path| absolute(module, path)).collect()
}

/// Paths that stand in expressions and types.
fn inline(text: &str) -> impl Iterator<Item = Module> {
    let is_part = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    text.split(move |it| !is_part(it))
        .filter(|word| ["crate::", "super::", "self::"].iter().any(|it| word.starts_with(it)))
        // Before the braces of a `use`, which is read as a tree.
        .filter(|word| !word.ends_with(':'))
        .map(|word| word.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect())
}

/// The paths of a `use` tree.
fn expand(before: &[String], tree: &str, paths: &mut Vec<Module>) {
    for branch in branches(tree) {
        let branch = branch.trim();
        let (path, inner) = match branch.split_once('{') {
            Some((path, inner)) => (path, inner.rsplit_once('}').map(|(inner, _)| inner)),
            None => (branch.split(" as ").next().unwrap_or_default(), None),
        };
        let steps = path.split("::").map(str::trim).filter(|step| !step.is_empty());
        let whole: Module = before.iter().cloned().chain(steps.map(str::to_owned)).collect();
        match inner {
            Some(inner) => expand(&whole, inner, paths),
            None if !whole.is_empty() => paths.push(whole),
            None => {}
        }
    }
}

/// A tree cut at the commas that are in no braces.
fn branches(tree: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (place, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&tree[from..place]);
                from = place + 1;
            }
            _ => {}
        }
    }
    found.push(&tree[from..]);
    found
}

/// A path of `module` from the crate's root; `None` if it leads out of the crate.
fn absolute(module: &Module, path: &Module) -> Option<Module> {
    let first = path.first()?.as_str();
    match first {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|step| *step == "super").count();
            let from = module.get(..module.len().checked_sub(up)?)?;
            Some([from, &path[up..]].concat())
        }
        // A child by its bare name, or another crate; the latter is no module of this one.
        _ => Some([module, path.as_slice()].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> ModuleGraph {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        ModuleGraph::of(folder.path())
    }

    #[test]
    fn circles_are_found_however_a_module_is_named() {
        for (a, b) in [
            ("use crate::b::X;", "use super::a::Y;"),
            ("pub(crate) use super::{b::{X, Z}};", "fn f() { crate::a::y() }"),
            ("#[x]\nuse crate::b;", "type T = Vec<super::a::T>;"),
            ("fn f() {\n    use crate::b::{X};\n}", "mod x {\n    use super::super::a::Y;\n}"),
            ("mod x {\n    fn f() {\n        super::super::b::y()\n    }\n}", "use crate::a;"),
        ] {
            let circles = graph(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)]).circles();
            assert_eq!(circles, [["a", "b"]], "{a} {b}");
        }
    }

    #[test]
    fn a_parent_that_asks_a_child_that_asks_it_is_a_circle() {
        let parent = "mod child;\npub use child::X;\npub struct Y;";
        let files = [("a/mod.rs", parent), ("a/child.rs", "use super::Y;")];
        assert_eq!(graph(&files).circles(), [["a", "a::child"]]);
    }

    #[test]
    fn tests_comments_and_other_crates_are_no_uses() {
        let b =
            "// crate::a::X\nuse other::a::X;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n";
        let files = [("a.rs", "use crate::b::X;\n"), ("b.rs", b), ("lib.rs", "pub use a::X;")];
        assert!(graph(&files).circles().is_empty());
        let parent = "pub use child::X;";
        let files =
            [("a/mod.rs", parent), ("a/child.rs", "use super::{other::Y};"), ("a/other.rs", "")];
        assert!(graph(&files).circles().is_empty());
    }
}

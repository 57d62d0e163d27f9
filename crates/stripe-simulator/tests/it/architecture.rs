//! The crate's module dependencies and size limits.
//!
//! A folder and the file with its name are one module. Modules with the same parent must not import
//! each other in a circle. A module may import its parent, and a parent its children.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const MOST_LINES: usize = 400;
const MOST_FUNCTION_LINES: usize = 70;

type ModulePath = Vec<String>;
/// For each parent: the imports between its children.
type Imports = BTreeMap<ModulePath, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn modules_with_the_same_parent_form_no_import_circle() {
    let mut imports = Imports::new();
    for (module, source) in modules() {
        for imported in imported_paths(&module, &source) {
            add(&mut imports, &module, &imported);
        }
    }
    assert!(imports[&ModulePath::new()].contains_key("lifecycle"), "the sources were read");
    let circles: Vec<String> = imports.iter().filter_map(circle).collect();
    assert!(circles.is_empty(), "import circles: {circles:#?}");
}

#[test]
fn a_circle_is_found() {
    let mut imports = Imports::new();
    for (module, source) in [
        ("api::prices", "use crate::api::{Call, products};"),
        ("api::products::search", "use crate::{\n    api::prices::find,\n    world::World,\n};"),
        ("world", "use crate::error::StripeError;"),
    ] {
        let module = path(module);
        for imported in imported_paths(&module, source) {
            add(&mut imports, &module, &imported);
        }
    }
    let circles: Vec<String> = imports.iter().filter_map(circle).collect();
    assert_eq!(circles, ["api: prices -> products -> prices"]);
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for (module, source) in modules() {
        let name = module.join("::");
        if source.lines().count() > MOST_LINES {
            long.push(name.clone());
        }
        let mut started = None;
        for (number, line) in source.lines().enumerate() {
            let is_start = line.trim_start().trim_start_matches("pub ").starts_with("fn ")
                || line.contains("async fn ");
            if is_start && line.trim_end().ends_with(['{', '(']) {
                started = Some((number, line.len() - line.trim_start().len()));
            }
            if let Some((start, indent)) = started
                && line.len() == indent + 1
                && line.ends_with('}')
            {
                if number - start >= MOST_FUNCTION_LINES {
                    long.push(format!("{name}, line {}", start + 1));
                }
                started = None;
            }
        }
    }
    assert!(long.is_empty(), "too long: {long:#?}");
}

fn path(text: &str) -> ModulePath {
    text.split("::").map(str::to_owned).collect()
}

/// All modules of the crate with their sources, except `lib` and `main`.
fn modules() -> Vec<(ModulePath, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![(root, ModulePath::new())]);
    while let Some((folder, parent)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let mut module = parent.clone();
            module.push(file.file_stem().unwrap().to_str().unwrap().to_owned());
            if file.is_dir() {
                folders.push((file, module));
            } else if file.extension().is_some_and(|extension| extension == "rs")
                && !matches!(module.join("::").as_str(), "lib" | "main")
            {
                found.push((module, fs::read_to_string(file).unwrap()));
            }
        }
    }
    found
}

/// The paths in a module's `use` lines, from the crate's root, without those of unit tests.
fn imported_paths(module: &[String], source: &str) -> Vec<ModulePath> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut statement = String::new();
    for line in source.lines() {
        let starts = line.starts_with("use ") || line.starts_with("pub use ");
        if starts || !statement.is_empty() {
            statement.push_str(line.trim());
        }
        if statement.ends_with(';') {
            let tree = statement.trim_start_matches("pub ").trim_start_matches("use ");
            expand(tree.trim_end_matches(';'), &[], &mut found);
            statement.clear();
        }
    }
    found.into_iter().filter_map(|path| absolute(module, path)).collect()
}

/// Expands a `use` tree such as `crate::{a, b::{c, d}}` into paths.
fn expand(tree: &str, prefix: &[String], found: &mut Vec<ModulePath>) {
    let tree = tree.trim();
    let (head, list) = match tree.split_once('{') {
        Some((head, list)) => (head, Some(list.trim_end().strip_suffix('}').unwrap_or(list))),
        None => (tree, None),
    };
    let segments = head.split("::").filter(|segment| !segment.is_empty() && *segment != "self");
    let mut path = prefix.to_vec();
    path.extend(segments.map(|segment| segment.split(" as ").next().unwrap_or(segment).to_owned()));
    let Some(list) = list else { return found.push(path) };
    let (mut depth, mut start) = (0, 0);
    for (place, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&list[start..place], &path, found);
                start = place + 1;
            }
            _ => {}
        }
    }
    if !list[start..].trim().is_empty() {
        expand(&list[start..], &path, found);
    }
}

fn absolute(module: &[String], path: ModulePath) -> Option<ModulePath> {
    let first = path.first()?.clone();
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "super" => module[..module.len() - 1].to_vec(),
        _ => return None,
    };
    for segment in path.into_iter().skip(1) {
        match segment.as_str() {
            "super" => drop(base.pop()),
            _ => base.push(segment),
        }
    }
    Some(base)
}

/// Records an import between two children of the deepest common module.
fn add(imports: &mut Imports, module: &[String], imported: &[String]) {
    let common = module.iter().zip(imported).take_while(|(one, other)| one == other).count();
    // The imported name is in an ancestor or a child.
    let (Some(from), Some(to)) = (module.get(common), imported.get(common)) else { return };
    let children = imports.entry(module[..common].to_vec()).or_default();
    children.entry(from.clone()).or_default().insert(to.clone());
}

/// Finds a circle among the children of a module and describes it.
fn circle(
    (parent, children): (&ModulePath, &BTreeMap<String, BTreeSet<String>>),
) -> Option<String> {
    children.keys().find_map(|start| {
        let mut trails = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(trail) = trails.pop() {
            for next in children.get(*trail.last()?).into_iter().flatten() {
                let longer: Vec<&String> = trail.iter().copied().chain([next]).collect();
                if next == start {
                    let names: Vec<&str> = longer.iter().map(|name| name.as_str()).collect();
                    return Some(format!("{}: {}", parent.join("::"), names.join(" -> ")));
                }
                if seen.insert(next) {
                    trails.push(longer);
                }
            }
        }
        None
    })
}

//! Tests the layout of SQL files. migrations/README.md lists its rules.

use include_dir::Dir;

use super::files::MIGRATIONS;

const WIDTH: usize = 110;

/// Words that begin a clause. Each begins a line, or a group in parentheses.
const CLAUSES: [&str; 12] = [
    "from",
    "group",
    "having",
    "join",
    "limit",
    "order",
    "returning",
    "select",
    "set",
    "union",
    "values",
    "where",
];

/// Keywords that are written in lower case, in addition to [`CLAUSES`].
const KEYWORDS: [&str; 39] = [
    "alter", "and", "as", "begin", "by", "case", "create", "cross", "declare", "delete", "else",
    "end", "exists", "for", "function", "if", "in", "index", "inner", "insert", "into", "is",
    "language", "lateral", "left", "loop", "not", "null", "on", "or", "perform", "return",
    "returns", "table", "then", "update", "using", "when", "with",
];

/// The problems of a file, one per line.
fn problems(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.starts_with("-- ") {
        problems.push(format!("{name}: does not begin with a comment"));
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        problems.push(format!("{name}: does not end with exactly one line feed"));
    }
    let mut is_in_text = false;
    for (number, line) in text.lines().enumerate() {
        let mut report = |problem: &str| {
            problems.push(format!("{name}:{}: {problem}: {}", number + 1, line.trim()));
        };
        if line.chars().count() > WIDTH {
            report(&format!("longer than {WIDTH} characters"));
        }
        if line != line.trim_end() || line.contains('\t') {
            report("has a tab or trailing space");
        }
        let code = code_of(line, &mut is_in_text);
        let is_upper = |word: &str| {
            word != word.to_lowercase() && {
                let word = word.to_lowercase();
                CLAUSES.contains(&&*word) || KEYWORDS.contains(&&*word)
            }
        };
        if words(&code).any(is_upper) {
            report("a keyword in upper case");
        }
        if has_two_clauses(&code) {
            report("two clauses");
        }
    }
    problems
}

/// A line without its comment and its string literals, which may span lines.
fn code_of(line: &str, is_in_text: &mut bool) -> String {
    let mut code = String::new();
    let mut rest = line;
    loop {
        if *is_in_text {
            let Some((_, after)) = rest.split_once('\'') else { return code };
            (*is_in_text, rest) = (false, after);
        } else {
            let before = rest.split_once("--").map_or(rest, |(before, _)| before);
            let Some((before, _)) = before.split_once('\'') else { return code + before };
            code.push_str(before);
            (*is_in_text, rest) = (true, &rest[before.len() + 1..]);
        }
    }
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Returns true if two clauses of one statement share the line. `(select a from b)` counts as one
/// expression.
fn has_two_clauses(code: &str) -> bool {
    let spaced = code.replace('(', " ( ").replace(')', " ) ").replace([',', ';'], " ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for (place, &token) in tokens.iter().enumerate() {
        let before = place.checked_sub(1).map_or("", |before| tokens[before]);
        // `is distinct from`, `set search_path from current`.
        let is_operator = token == "from" && ["distinct", "search_path"].contains(&before);
        match token {
            "(" => groups.push(Vec::new()),
            ")" => {
                let closed = groups.pop().unwrap_or_default();
                if closed.len() > 1 && closed != ["select", "from"] {
                    return true;
                }
                if groups.is_empty() {
                    groups.push(Vec::new());
                }
            }
            _ if CLAUSES.contains(&token) && !is_operator => {
                if let Some(group) = groups.last_mut() {
                    group.push(token);
                }
            }
            _ => {}
        }
    }
    groups.iter().any(|group| group.len() > 1)
}

#[test]
fn sql_files_follow_the_layout_rules() {
    fn walk(dir: &Dir<'_>, found: &mut Vec<String>) {
        for file in dir.files().filter(|file| file.path().extension().is_some_and(|e| e == "sql")) {
            let name = file.path().display().to_string();
            found.extend(problems(&name, file.contents_utf8().unwrap()));
        }
        for inner in dir.dirs() {
            walk(inner, found);
        }
    }
    let mut found = Vec::new();
    walk(&MIGRATIONS, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_layout_rules_detect_violations() {
    let found = |line: &str| problems("a", &format!("-- a\n{line}\n")).len();
    for good in [
        "select count(*) filter (where a), (select max(id) from page)",
        "where a is distinct from extract(epoch from b)",
        "set search_path from current",
        "array_agg(a order by b)",
        "comment on table a is 'SELECT it, from where it is'; -- FROM there",
        "raise exception 'it''s --' using hint = 'select from where'",
    ] {
        assert_eq!(found(good), 0, "{good}");
    }
    for bad in [
        "SELECT 1",
        "select a from b",
        "if exists (select from a where b)",
        "update a set b = (select c from d) where e",
        "select 1 ",
        &format!("select {}", "a".repeat(WIDTH)),
        &format!("-- {}", "a".repeat(WIDTH)),
    ] {
        assert_eq!(found(bad), 1, "{bad}");
    }
}

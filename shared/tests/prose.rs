//! The words of the project's prose: comments, documents, and all text that users read. Names in
//! backticks are not prose.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Words without a place in a technical text.
const BANNED: [&str; 6] = ["anew", "meanwhile", "nobody", "somebody", "whoever", "whosoever"];

/// Words that do not begin a sentence, unless it is a question.
const NOT_FIRST: [&str; 4] = ["What", "Whatever", "Who", "Whoever"];

const SKIPPED: [&str; 3] = ["node_modules", "target", "vendor"];

const KINDS: [&str; 10] =
    [".d.ts", ".html", ".json", ".lua", ".md", ".rs", ".sql", ".toml", ".txt", ".yaml"];

/// Every text file of the workspace, except lock files, fixtures and this one.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) && name != "fixtures" {
                found.extend(files(&path));
            }
        } else if KINDS.iter().any(|kind| name.ends_with(kind))
            && name != "package-lock.json"
            && !path.ends_with("shared/tests/prose.rs")
        {
            found.push(path);
        }
    }
    found
}

/// The prose of a file, a paragraph each: the comments of source code and the string literals of its
/// shipped part; all of another file.
fn paragraphs(path: &Path, text: &str) -> Vec<String> {
    let name = path.to_string_lossy();
    let marker = if name.ends_with(".sql") || name.ends_with(".lua") { "--" } else { "//" };
    if !name.ends_with(".rs") && marker == "//" {
        let text = if name.ends_with(".md") { without_code(text) } else { text.to_owned() };
        return text.split('\n').map(without_names).collect();
    }
    let is_test = name.contains("/tests") || name.contains("/fuzz/");
    let mut found = vec![String::new()];
    for line in text.lines() {
        match line.trim_start().strip_prefix(marker) {
            Some(comment) => {
                let comment = comment.trim_start_matches(['/', '!', '-']).trim();
                let block = found.last_mut().unwrap();
                *block = format!("{block} {}", without_names(comment)).trim_start().to_owned();
            }
            None => {
                found.push(String::new());
                if !is_test && line.contains('"') {
                    found.push(without_names(line));
                    found.push(String::new());
                }
            }
        }
    }
    found
}

fn without_code(markdown: &str) -> String {
    markdown.split("```").step_by(2).collect()
}

/// The text without what is in backticks, and without a literal that is one word.
fn without_names(text: &str) -> String {
    let text: String = text.split('`').step_by(2).collect::<Vec<_>>().join("` `");
    text.replace("\"nobody\"", "")
}

/// The banned words of a paragraph, and the sentences that begin with a noun clause.
fn problems(paragraph: &str) -> Vec<String> {
    let words = paragraph.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let mut found: Vec<String> =
        words.map(str::to_lowercase).filter(|word| BANNED.contains(&word.as_str())).collect();
    if paragraph.to_lowercase().contains("whose it is") {
        found.push("whose it is".to_owned());
    }
    for sentence in paragraph.split_inclusive(['.', '?', '!', ':', '|']) {
        let first = sentence.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        let first = first.split(' ').next().unwrap_or_default();
        if NOT_FIRST.contains(&first) && !sentence.ends_with('?') {
            found.push(sentence.trim().to_owned());
        }
    }
    found
}

#[test]
fn prose_is_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let files = files(&root);
    assert!(files.len() > 700, "the walk found {} files", files.len());
    let mut found = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display();
        for paragraph in paragraphs(&path, &text) {
            found.extend(problems(&paragraph).iter().map(|problem| format!("{name}: {problem}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_mannered_sentence_is_found() {
    assert_eq!(
        problems("The job retries it. What is late goes last."),
        ["What is late goes last."]
    );
    assert_eq!(problems("Meanwhile it waits, whose it is."), ["meanwhile", "whose it is"]);
    assert!(problems("What is left? The balance. A user who pays has a plan.").is_empty());
    let comment = paragraphs(Path::new("a.rs"), "// Tell\n// nobody.\nlet a = 1;\n");
    assert_eq!(problems(&comment[0]), ["nobody"]);
    assert!(problems(&without_names("the user `nobody` runs it")).is_empty());
}

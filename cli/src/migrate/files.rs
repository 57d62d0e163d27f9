//! The SQL files. They are embedded in the binary, so that a deploy needs no other file.

use include_dir::{Dir, include_dir};
use shared::domain::hash::sha256_hex;
use tokio_postgres::types::{ToSql, Type};

pub(super) static MIGRATIONS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../migrations");

/// The query of `doctor` and of a test: exceptions from the rules on roles and grants.
pub(super) const EXCEPTIONS: &str = include_str!("../../../migrations/exceptions.sql");

/// The query for roles that can replace our functions through their schema.
pub(super) const SCHEMA_RIGHTS: &str = include_str!("../../../migrations/schema_rights.sql");

pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One file.
#[derive(Clone, Debug)]
pub struct Sql {
    /// The name of the migration, such as `0001_accounts`, or of the function.
    pub name: String,
    pub text: String,
}

/// The files of a schema.
#[derive(Clone, Debug)]
pub struct Files {
    /// In the order in which they are applied.
    pub migrations: Vec<Sql>,
    pub functions: Vec<Sql>,
}

impl Files {
    pub fn embedded() -> Self {
        let migrations = read(&MIGRATIONS)
            .filter(|sql| sql.name.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        let folders = MIGRATIONS.get_dir("functions").into_iter().flat_map(Dir::dirs);
        let files = folders.flat_map(read);
        let mut functions: Vec<Sql> = files.flat_map(|file| functions_of(&file.text)).collect();
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        Self { migrations, functions }
    }

    /// The tables and views that these files create.
    pub fn relations(&self) -> Vec<&str> {
        let own = ["farebox_migrations"];
        own.into_iter().chain(self.migrations.iter().flat_map(Sql::relations)).collect()
    }
}

/// The SQL files of a folder, in the order of their names.
fn read<'a>(dir: &'a Dir<'a>) -> impl Iterator<Item = Sql> {
    let mut files: Vec<Sql> = dir
        .files()
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            let text = file.contents_utf8()?.to_owned();
            (file.path().extension()? == "sql").then_some(Sql { name, text })
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files.into_iter()
}

/// The functions of a file, each with the comment above it and the triggers below it. A function is
/// identified by its name, so it may move to another file.
fn functions_of(text: &str) -> Vec<Sql> {
    const CREATE: &str = "create or replace function ";
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |line: &&&str| line.starts_with("--");
    let starts: Vec<(usize, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| {
            let (name, _) = line.strip_prefix(CREATE)?.split_once('(')?;
            let above = lines[..number].iter().rev().skip_while(|line| line.is_empty());
            let comment = above.take_while(is_comment).count();
            let blank = lines[..number].iter().rev().take_while(|line| line.is_empty()).count();
            Some((number - comment - if comment > 0 { blank } else { 0 }, name))
        })
        .collect();
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([lines.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&(start, name), end)| Sql {
            name: name.to_owned(),
            text: lines[start..end].join("\n"),
        })
        .collect()
}

impl Sql {
    pub(super) fn checksum(&self) -> String {
        sha256_hex([&self.text])
    }

    pub(super) fn is_outside_transactions(&self) -> bool {
        self.text.starts_with("-- no-transaction")
    }

    /// The tables and views that the file creates, each in a line `create table NAME (`. A view
    /// that it replaces is not included: an earlier migration created it.
    pub(super) fn relations(&self) -> impl Iterator<Item = &str> {
        const CREATES: [&str; 2] = ["create table ", "create view "];
        self.text
            .lines()
            .filter_map(|line| CREATES.iter().find_map(|creates| line.strip_prefix(creates)))
            .map(|rest| rest.split([' ', '(']).next().unwrap_or_default())
    }

    /// The index that the file builds concurrently.
    pub(super) fn index(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("index concurrently if not exists ")?;
        rest.split_whitespace().next()
    }
}

#[cfg(test)]
mod tests {
    use super::super::grants::{CALLABLE, FOR_READERS, FOR_USERS, READERS};
    use super::{Files, MIGRATIONS, Sql, functions_of, read};

    #[test]
    fn the_embedded_files_are_parsed() {
        let files = Files::embedded();
        assert_eq!(files.migrations[0].name, "0001_accounts");
        assert!(files.relations().contains(&"accounts"));
        assert!(files.relations().contains(&"users"), "a view");
        assert!(files.migrations.iter().all(|sql| !sql.is_outside_transactions()));
    }

    #[test]
    fn a_concurrent_index_is_built_outside_a_transaction() {
        let text = "-- no-transaction: the table is in use.\n\n\
                    create index concurrently if not exists history_kind\n  on history (kind);\n";
        let sql = Sql { name: "0012_history_kind".to_owned(), text: text.to_owned() };
        assert!(sql.is_outside_transactions());
        assert_eq!(sql.index(), Some("history_kind"));
    }

    #[test]
    fn a_file_is_split_into_its_functions() {
        let text = "-- one: first.\n--\n-- Promises  Much.\n\ncreate or replace function one(a text)\nas $$\n  -- a comment\n$$;\n\n\
                    create or replace trigger t\n  before update on things;\n\n\
                    -- two: second.\n\ncreate or replace function two()\nas $$ $$;\n";
        let functions = functions_of(text);
        let names: Vec<&str> = functions.iter().map(|sql| &*sql.name).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(functions[0].text.starts_with("-- one: first."));
        assert!(functions[0].text.trim_end().ends_with("on things;"));
        assert!(functions[1].text.starts_with("-- two: second."));
    }

    #[test]
    fn each_function_is_unique_and_has_its_header() {
        let functions = Files::embedded().functions;
        assert!(functions.len() > 150, "{}", functions.len());
        for pair in functions.windows(2) {
            assert_ne!(pair[0].name, pair[1].name);
        }
        for Sql { name, text } in &functions {
            assert!(
                text.starts_with(&format!("-- {name}: ")),
                "the comment of {name} does not begin with its name"
            );
            assert!(text.contains("-- Promises "), "{name} has no line `-- Promises`");
        }
    }

    #[test]
    fn a_file_begins_with_the_function_of_its_name() {
        for folder in MIGRATIONS.get_dir("functions").unwrap().dirs() {
            for file in read(folder) {
                assert_eq!(functions_of(&file.text)[0].name, file.name);
            }
        }
    }

    /// A function that only our functions call runs with their rights and their `search_path`.
    /// Setting the path again costs as much as a statement.
    #[test]
    fn only_callable_functions_set_their_rights_and_search_path() {
        for Sql { name, text } in Files::embedded().functions {
            let is_entry = CALLABLE.contains(&&*name);
            assert!(
                !text.contains("security definer") || is_entry,
                "{name} does not need `security definer`"
            );
            assert_eq!(text.contains("set search_path from current"), is_entry, "{name}");
        }
    }

    #[test]
    fn the_declared_rights_name_functions() {
        let functions = Files::embedded().functions;
        for name in CALLABLE.iter().chain(&READERS).chain(&FOR_USERS).chain(&FOR_READERS) {
            assert!(functions.iter().any(|sql| sql.name == *name), "there is no function {name}");
        }
    }
}

//! The SQL files. They are part of the binary, so that a deploy needs no other file.

use include_dir::{Dir, include_dir};
use shared::domain::hash::sha256_hex;
use tokio_postgres::types::{ToSql, Type};

static MIGRATIONS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../migrations");

/// The query of `doctor` and of a test: exceptions from the rules on roles and grants.
pub(super) const EXCEPTIONS: &str = include_str!("../../../migrations/exceptions.sql");

/// The query for roles that can replace our functions through their schema.
pub(super) const SCHEMA_RIGHTS: &str = include_str!("../../../migrations/schema_rights.sql");

pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// One file.
#[derive(Clone, Debug)]
pub struct Sql {
    /// Its name: `0001_accounts`, or the function's.
    pub name: String,
    pub text: String,
}

/// The files of a schema.
#[derive(Clone, Debug)]
pub struct Files {
    /// In the order they are applied.
    pub migrations: Vec<Sql>,
    pub functions: Vec<Sql>,
}

impl Files {
    pub fn embedded() -> Self {
        let numbered = read(&MIGRATIONS, |name| name.starts_with(|c: char| c.is_ascii_digit()));
        let functions = MIGRATIONS.get_dir("functions").map(|dir| read(dir, |_| true));
        Self { migrations: numbered, functions: functions.unwrap_or_default() }
    }

    /// The tables and views these files create.
    pub fn relations(&self) -> Vec<&str> {
        let own = ["farebox_migrations"];
        own.into_iter().chain(self.migrations.iter().flat_map(Sql::relations)).collect()
    }
}

fn read(dir: &Dir<'_>, wanted: impl Fn(&str) -> bool) -> Vec<Sql> {
    let mut files: Vec<Sql> = dir
        .files()
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            let text = file.contents_utf8()?.to_owned();
            (file.path().extension()? == "sql" && wanted(&name)).then_some(Sql { name, text })
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

impl Sql {
    pub(super) fn checksum(&self) -> String {
        sha256_hex([&self.text])
    }

    pub(super) fn is_outside_transactions(&self) -> bool {
        self.text.starts_with("-- no-transaction")
    }

    /// Whether only our functions call this function.
    pub(super) fn is_internal(&self) -> bool {
        self.text.starts_with("-- internal")
    }

    /// Whether our functions call this function with their caller's rights, which the caller then needs.
    #[cfg(test)]
    fn is_part(&self) -> bool {
        self.text.starts_with("-- part")
    }

    /// The tables and views that it creates, each on a line `create table NAME (`. A replaced view was
    /// created by an earlier migration.
    pub(super) fn relations(&self) -> impl Iterator<Item = &str> {
        const CREATES: [&str; 2] = ["create table ", "create view "];
        self.text
            .lines()
            .filter_map(|line| CREATES.iter().find_map(|creates| line.strip_prefix(creates)))
            .map(|rest| rest.split([' ', '(']).next().unwrap_or_default())
    }

    /// The index it builds concurrently.
    pub(super) fn index(&self) -> Option<&str> {
        let (_, rest) = self.text.split_once("index concurrently if not exists ")?;
        rest.split_whitespace().next()
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, Sql};

    #[test]
    fn the_files_are_understood() {
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
    fn each_function_is_in_the_file_of_its_name_and_has_a_description() {
        for function in Files::embedded().functions {
            let name = &function.name;
            assert!(
                function.text.contains(&format!("create or replace function {name}(")),
                "{name}"
            );
            for word in ["-- Promises ", "-- Locks ", "-- Races "] {
                assert!(function.text.contains(word), "{name} lacks {word}");
            }
            // A function that only our functions call runs with their rights and their `search_path`; to
            // set it again costs as much as a statement.
            let is_inner = function.is_internal() || function.is_part();
            let has_path = function.text.contains("set search_path from current");
            assert!(has_path || is_inner, "{name} sets no search_path");
            let is_definer = function.text.contains("security definer");
            assert!(!is_definer || !is_inner, "{name} needs no rights of its own");
        }
    }
}

//! Renders `docs/schema.prisma` from a migrated database, for apps that read the tables with
//! Prisma.
//!
//! - A table with a key is a `model`. Views, and tables without a key, are a `view`.
//! - A domain that lists its values is an `enum`: Prisma casts a filter's value to the type of that
//!   name.
//! - The comments of the database are the documentation of the fields.
//!
//! Deliberately absent: defaults and checks, which matter only to programs that write.

mod names;

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;
use shared::config::Schema;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::migrate::Files;
use names::{camel, pascal, singular};

/// The rendered file, relative to the repository's root.
pub const PATH: &str = "docs/schema.prisma";

const DESCRIBE: &str = include_str!("prisma/schema.sql");
const HEAD: &str = r#"// Farebox's tables for Prisma, rendered by `farebox render` from the migrations.
//
// They are for reading. No role that an app connects as may write them.
// An amount of money is in minor units. A `BigInt` is a bigint in JavaScript.
// 'infinity' and '-infinity', where a comment names them, arrive as an invalid `Date`.

generator client {
  provider        = "prisma-client-js"
  previewFeatures = ["views"]
}

datasource db {
  provider = "postgresql"
}
"#;
/// Long comments continue on a further line.
const WIDTH: usize = 110;

#[derive(Debug, Deserialize)]
struct Description {
    relations: Vec<Relation>,
    lists: Vec<List>,
}

/// A table or a view.
#[derive(Debug, Deserialize)]
struct Relation {
    name: String,
    comment: Option<String>,
    columns: Vec<Column>,
    indexes: Vec<Index>,
    foreign_keys: Vec<ForeignKey>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    r#type: String,
    is_array: bool,
    is_nullable: bool,
    /// The domain that lists the column's values.
    list: Option<String>,
    /// The values that a check of the table allows.
    values: Option<Vec<String>>,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Index {
    name: String,
    is_primary: bool,
    is_unique: bool,
    columns: Vec<IndexColumn>,
}

#[derive(Debug, Deserialize)]
struct IndexColumn {
    name: String,
    is_descending: bool,
}

#[derive(Debug, Deserialize)]
struct ForeignKey {
    columns: Vec<String>,
    target: String,
    target_columns: Vec<String>,
    is_cascade: bool,
}

/// A domain that lists its values.
#[derive(Debug, Deserialize)]
struct List {
    name: String,
    values: Vec<String>,
}

/// A line of a model: name, type and attributes, which Prisma's formatter aligns.
struct Field {
    comment: Vec<String>,
    name: String,
    r#type: String,
    attributes: String,
}

/// Renders the schema of this migrated database.
pub async fn render(client: &Client, schema: &Schema) -> anyhow::Result<String> {
    let (files, schema) = (Files::embedded(), schema.as_str());
    let relations = files.relations();
    let params: &[crate::migrate::Param<'_>] =
        &[(&schema, Type::TEXT), (&relations, Type::TEXT_ARRAY)];
    let row = client.query_typed_one(DESCRIBE, params).await.context("cannot read the schema")?;
    let description: Description = serde_json::from_value(row.get::<_, Value>(0))?;
    text(&description)
}

fn text(description: &Description) -> anyhow::Result<String> {
    let mut text = HEAD.to_owned();
    for relation in &description.relations {
        text += "\n";
        text += &block(relation, &description.relations)?;
    }
    for list in &description.lists {
        write!(text, "\nenum {} {{\n", pascal(&list.name))?;
        for value in &list.values {
            writeln!(text, "  {value}")?;
        }
        write!(text, "\n  @@map(\"{}\")\n}}\n", list.name)?;
    }
    Ok(text)
}

fn block(relation: &Relation, all: &[Relation]) -> anyhow::Result<String> {
    let mut fields = Vec::new();
    for column in &relation.columns {
        fields.push(column_field(relation, column)?);
    }
    if relation.has_key() {
        fields.extend(relation.foreign_keys.iter().map(|key| reference_field(relation, key)));
        fields.extend(back_references(relation, all)?);
    }
    let kind = if relation.has_key() { "model" } else { "view" };
    let mut text = String::new();
    for line in comment_lines(relation.comment.as_deref().unwrap_or_default(), 0) {
        writeln!(text, "{line}")?;
    }
    writeln!(text, "{kind} {} {{", singular(&relation.name))?;
    text += &aligned(&fields);
    text += "\n";
    for attribute in block_attributes(relation) {
        writeln!(text, "  {attribute}")?;
    }
    write!(text, "  @@map(\"{}\")\n}}\n", relation.name)?;
    Ok(text)
}

impl Relation {
    /// Prisma requires a key in a model, and accepts none in a view.
    fn has_key(&self) -> bool {
        self.indexes.iter().any(|index| index.is_unique)
    }

    /// True if these columns are a key, so that they identify at most one row.
    fn is_key(&self, columns: &[String]) -> bool {
        let is_same = |index: &&Index| index.columns.iter().map(|it| &it.name).eq(columns);
        self.indexes.iter().filter(|index| index.is_unique).any(|index| is_same(&index))
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

fn column_field(relation: &Relation, column: &Column) -> anyhow::Result<Field> {
    let (mut r#type, native) = match &column.list {
        Some(list) => (pascal(list), String::new()),
        None => prisma_type(&column.r#type)
            .with_context(|| format!("{}.{}", relation.name, column.name))?,
    };
    if column.is_array {
        r#type += "[]";
    } else if column.is_nullable {
        r#type += "?";
    }
    let name = camel(&column.name);
    let mut attributes = Vec::new();
    let alone = |index: &&Index| index.columns.len() == 1 && index.columns[0].name == column.name;
    match relation.indexes.iter().filter(alone).find(|index| index.is_unique) {
        Some(index) if index.is_primary => attributes.push("@id".to_owned()),
        Some(index) => attributes.push(format!("@unique(map: \"{}\")", index.name)),
        None => {}
    }
    if name != column.name {
        attributes.push(format!("@map(\"{}\")", column.name));
    }
    if !native.is_empty() {
        attributes.push(native);
    }
    let mut comment = column.comment.clone().unwrap_or_default();
    if let Some(values) = &column.values {
        write!(comment, " One of: {}.", values.join(", "))?;
    }
    let (comment, attributes) = (comment_lines(&comment, 2), attributes.join(" "));
    Ok(Field { comment, name, r#type, attributes })
}

/// Prisma's type, and the attribute for a native type that is not its default.
fn prisma_type(native: &str) -> anyhow::Result<(String, String)> {
    // `numeric(5,2)` becomes `@db.Decimal(5, 2)`.
    if let Some(digits) = native.strip_prefix("numeric(") {
        let attribute = format!("@db.Decimal({}", digits.replace(',', ", "));
        return Ok(("Decimal".to_owned(), attribute));
    }
    let (name, attribute) = match native {
        "bigint" => ("BigInt", ""),
        "boolean" => ("Boolean", ""),
        "bytea" => ("Bytes", ""),
        "date" => ("DateTime", "@db.Date"),
        "integer" => ("Int", ""),
        "interval" => (r#"Unsupported("interval")"#, ""),
        "jsonb" => ("Json", ""),
        "text" => ("String", ""),
        "timestamp with time zone" => ("DateTime", "@db.Timestamptz(6)"),
        "uuid" => ("String", "@db.Uuid"),
        other => bail!("the type {other} has no counterpart in Prisma yet: add it to prisma_type"),
    };
    Ok((name.to_owned(), attribute.to_owned()))
}

/// The row that a foreign key points to. `user_id` gives `user`; a key of several columns has the
/// name of the target.
fn reference_field(relation: &Relation, key: &ForeignKey) -> Field {
    let target = singular(&key.target);
    let name = match &*key.columns {
        [column] => camel(column.strip_suffix("_id").unwrap_or(column)),
        _ => names::uncapitalized(&target),
    };
    let is_optional =
        key.columns.iter().any(|it| relation.column(it).is_some_and(|it| it.is_nullable));
    let list =
        |columns: &[String]| columns.iter().map(|it| camel(it)).collect::<Vec<_>>().join(", ");
    let on_delete = if key.is_cascade { "Cascade" } else { "NoAction" };
    Field {
        comment: Vec::new(),
        name,
        r#type: if is_optional { target + "?" } else { target },
        attributes: format!(
            "@relation(fields: [{}], references: [{}], onDelete: {on_delete}, onUpdate: NoAction)",
            list(&key.columns),
            list(&key.target_columns)
        ),
    }
}

/// The rows of other tables that point to this one.
fn back_references(relation: &Relation, all: &[Relation]) -> anyhow::Result<Vec<Field>> {
    let mut fields = Vec::new();
    for other in all.iter().filter(|other| other.has_key()) {
        let mut keys = other.foreign_keys.iter().filter(|key| key.target == relation.name);
        let Some(key) = keys.next() else { continue };
        if keys.next().is_some() {
            bail!("{} points to {} twice: name these relations", other.name, relation.name);
        }
        let model = singular(&other.name);
        let (name, r#type) = if other.is_key(&key.columns) {
            (names::uncapitalized(&model), model + "?")
        } else {
            (camel(&other.name), model + "[]")
        };
        fields.push(Field { comment: Vec::new(), name, r#type, attributes: String::new() });
    }
    Ok(fields)
}

/// Keys of several columns, and the indexes. A view can have neither.
fn block_attributes(relation: &Relation) -> Vec<String> {
    let mut attributes = Vec::new();
    if !relation.has_key() {
        return attributes;
    }
    for index in &relation.indexes {
        let columns: Vec<String> = index
            .columns
            .iter()
            .map(|column| {
                let sort = if column.is_descending { "(sort: Desc)" } else { "" };
                camel(&column.name) + sort
            })
            .collect();
        let columns = columns.join(", ");
        match index {
            Index { is_unique: true, columns: one, .. } if one.len() == 1 => {}
            Index { is_primary: true, .. } => attributes.push(format!("@@id([{columns}])")),
            Index { is_unique, name, .. } => {
                let kind = if *is_unique { "unique" } else { "index" };
                attributes.push(format!("@@{kind}([{columns}], map: \"{name}\")"));
            }
        }
    }
    attributes
}

fn aligned(fields: &[Field]) -> String {
    let widest = |of: fn(&Field) -> &str| fields.iter().map(|it| of(it).len()).max().unwrap_or(0);
    let (names, types) = (widest(|it| &it.name), widest(|it| &it.r#type));
    let mut text = String::new();
    for Field { comment, name, r#type, attributes } in fields {
        for line in comment {
            text += &format!("{line}\n");
        }
        let line = format!("  {name:names$} {:types$} {attributes}", r#type);
        text += &format!("{}\n", line.trim_end());
    }
    text
}

/// A documentation comment, wrapped between words.
fn comment_lines(comment: &str, indent: usize) -> Vec<String> {
    let start = format!("{:indent$}///", "");
    let mut lines: Vec<String> = Vec::new();
    for word in comment.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{start} {word}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_between_words() {
        let lines = comment_lines(&"word ".repeat(30), 2);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= WIDTH && line.starts_with("  /// word")));
        assert_eq!(comment_lines("", 2), [""; 0]);
    }

    #[test]
    fn a_decimal_keeps_its_digits() {
        let decimal = prisma_type("numeric(5,2)").expect("Prisma has decimals");
        assert_eq!(decimal, ("Decimal".to_owned(), "@db.Decimal(5, 2)".to_owned()));
        prisma_type("numeric").expect_err("Prisma would assume other digits");
    }

    #[test]
    fn an_unknown_type_is_an_error_that_says_what_to_do() {
        let error = prisma_type("money").expect_err("Prisma has no type for it");
        assert!(error.to_string().contains("add it to prisma_type"), "{error}");
    }
}

//! The SQL functions that Rust declares, compared with the migrated schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shared::adapters::postgres::{connect, functions};
use tokio_postgres::types::{Kind, Type};

use crate::support::{Stack, execute, settings};

/// The base type of a domain.
fn base(of: &Type) -> Type {
    match of.kind() {
        Kind::Domain(inner) => base(inner),
        _ => of.clone(),
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a direct connection, and nothing is executed")]
async fn each_declared_function_has_the_types_of_the_schema() {
    let client = connect(&settings(&Stack::start().await.database().await.app)).await.unwrap();
    let mut problems = Vec::new();
    for function in functions() {
        let name = function.name;
        // Without parameter types, Postgres reports the function's own.
        let statement = match client.prepare(&function.statement("public")).await {
            Ok(statement) => statement,
            Err(error) => {
                problems.push(format!("{name}: {error:?}"));
                continue;
            }
        };
        let parameters: Vec<Type> = statement.params().iter().map(base).collect();
        if parameters != function.parameters() {
            let sent = function.parameters();
            problems.push(format!("{name} takes {parameters:?}, and is sent {sent:?}"));
        }
        match statement.columns() {
            [answer] if function.reads(answer.type_()) => {}
            columns => problems.push(format!("{name} answers {columns:?}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let names: BTreeSet<&str> = functions().map(|function| function.name).collect();
    assert!(names.len() > 45 && names.len() == functions().count(), "{names:?}");
}

/// A call without a declaration would escape the comparison with the schema.
#[test]
fn every_call_of_an_sql_function_is_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/adapters/postgres");
    let mut declared = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.ends_with("function.rs") {
            continue;
        }
        for word in ["self.call(", "self.run(", "query_typed", "Call::of("] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
        let (_, block) = text.split_once("sql_functions! {").unwrap_or_default();
        declared += block.matches("fn ").count();
    }
    assert_eq!(declared, functions().count());
}

/// plpgsql_check (Debian's postgresql-15-plpgsql-check) checks every statement of every function
/// against the tables. It finds unknown names, unused variables and mismatched types.
#[tokio::test]
async fn plpgsql_check_finds_nothing() {
    let stack = Stack::start().await;
    let urls = stack.database().await;
    let name = urls.owner.rsplit('/').next().unwrap().split('?').next().unwrap();
    let superuser = stack.superuser(name).await;
    let known = "select exists (select from pg_available_extensions where name = 'plpgsql_check')";
    if !superuser.query_typed_one(known, &[]).await.unwrap().get::<_, bool>(0) {
        println!("skipped: this Postgres has no plpgsql_check");
        return;
    }
    execute(&superuser, "create schema lint; create extension plpgsql_check schema lint").await;
    let problems = "
        select format('%s, line %s: %s: %s %s', p.oid::regprocedure, c.lineno, c.level, c.message, c.hint)
        from pg_proc p
        join pg_language l on l.oid = p.prolang
        left join lateral (
          select tgrelid
          from pg_trigger
          where tgfoid = p.oid
          limit 1
        ) t on true
        cross join lateral lint.plpgsql_check_function_tb(
          p.oid,
          coalesce(t.tgrelid, 0)::regclass,
          extra_warnings => true,
          other_warnings => false,
          performance_warnings => false) c
        where l.lanname = 'plpgsql'
          and p.pronamespace = 'public'::regnamespace
        order by 1";
    let problems: Vec<String> = {
        let rows = superuser.query_typed(problems, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

//! Who may do what, said anew after every run, so that it cannot drift.

use shared::config::Schema;

use super::Files;

/// Whoever is not `farebox_app` may do nothing, and `farebox_app` may read tables and call functions.
///
/// `anon` and `authenticated` are the roles that Supabase opens to browsers; it grants them every
/// new table and function by default.
pub(super) fn statements(schema: &Schema, files: &Files) -> String {
    let list = |names: Vec<&str>| {
        let names: Vec<String> = names.into_iter().map(|name| format!("{schema}.{name}")).collect();
        names.join(", ")
    };
    let functions = &files.functions;
    let tables = list(files.tables());
    let all = list(functions.iter().map(|sql| sql.name.as_str()).collect());
    let callable = functions.iter().filter(|sql| !sql.is_internal());
    let callable = list(callable.map(|sql| sql.name.as_str()).collect());
    format!(
        "begin;
         grant usage on schema {schema} to farebox_app;
         revoke all on table {tables} from public, farebox_app;
         grant select on table {tables} to farebox_app;
         revoke all on function {all} from public, farebox_app;
         grant execute on function {callable} to farebox_app;
         do $$
         declare
           outsider text;
         begin
           for outsider in
             select rolname from pg_roles where rolname in ('anon', 'authenticated')
           loop
             execute format('revoke all on table {tables} from %I', outsider);
             execute format('revoke all on function {all} from %I', outsider);
           end loop;
         end
         $$;
         commit;"
    )
}

//! The grants, set again after every run, so that they cannot drift.

use shared::config::Schema;

use super::Files;

/// The functions that a member of `farebox_user` may call: those that run with its rights, and those
/// that views and parameter types call.
const FOR_USERS: [&str; 6] = [
    "farebox_now",
    "get_user_subscription",
    "is_before_local_clock",
    "is_identity",
    "period_at",
    "refuse_amount",
];

/// `farebox_app` may read tables and call functions. `farebox_user` may read the rows that Row Level
/// Security allows for one user. No other role has a grant.
///
/// `anon` and `authenticated` are the roles that Supabase opens to browsers; it grants them every
/// new table, sequence and function by default.
pub(super) fn statements(schema: &Schema, files: &Files) -> String {
    let internal: Vec<&str> =
        files.functions.iter().filter(|sql| sql.is_internal()).map(|sql| &*sql.name).collect();
    let functions: Vec<&str> = files.functions.iter().map(|sql| &*sql.name).collect();
    format!(
        "grant usage on schema {schema} to farebox_app, farebox_user;
         do $$
         declare
           outsiders text;
           item      record;
         begin
           select string_agg(quote_ident(rolname), ', ')
           into outsiders
           from pg_roles
           where rolname in ('farebox_app', 'farebox_user', 'anon', 'authenticated');
           outsiders := concat_ws(', ', 'public', outsiders);

           for item in
             select c.oid::regclass as name,
                    case c.relkind when 'S' then 'sequence' else 'table' end as kind,
                    c.relkind = 'v' or exists (
                      select from pg_policy
                      where polrelid = c.oid and 'farebox_user'::regrole = any (polroles)
                    ) as is_for_users
             from pg_class c
             left join pg_depend d on d.objid = c.oid and d.deptype = 'i' and c.relkind = 'S'
             left join pg_class parent on parent.oid = d.refobjid
             where c.relnamespace = '{schema}'::regnamespace
               and coalesce(parent.relname, c.relname) in ({relations})
               and c.relkind in ('r', 'p', 'v', 'S')
           loop
             execute format('revoke all on %s %s from %s', item.kind, item.name, outsiders);
             if item.kind = 'table' then
               execute format('grant select on table %s to farebox_app', item.name);
             end if;
             if item.kind = 'table' and item.is_for_users then
               execute format('grant select on table %s to farebox_user', item.name);
             end if;
           end loop;

           for item in
             select p.oid::regprocedure as name,
                    p.proname in ({internal}) as is_internal,
                    p.proname in ({for_users}) as is_for_users
             from pg_proc p
             where p.pronamespace = '{schema}'::regnamespace
               and p.proname in ({functions})
           loop
             execute format('revoke all on function %s from %s', item.name, outsiders);
             if not item.is_internal then
               execute format('grant execute on function %s to farebox_app', item.name);
             end if;
             if item.is_for_users then
               execute format('grant execute on function %s to farebox_user', item.name);
             end if;
           end loop;
         end
         $$;",
        relations = list(&files.relations()),
        internal = list(&internal),
        for_users = list(&FOR_USERS),
        functions = list(&functions),
    )
}

/// Names as SQL literals. They come from our own files and need no escape.
fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    if quoted.is_empty() { "''".to_owned() } else { quoted.join(", ") }
}

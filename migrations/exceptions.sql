-- Returns one row for each violation of the rules on roles and grants, and no row if there is none.
--
-- $1 is the schema, $2 our tables and views, $3 our functions, $4 the columns that farebox_reader may read,
-- each as table.column. The tests and `farebox doctor` run it as the
-- role that functions connect as.

with
ours as (
  select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relowner, c.relacl, c.reloptions
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1
    and (
      c.relname = any ($2)
      -- Partitions, which the daily job creates.
      or c.oid in (
        select i.inhrelid
        from pg_inherits i
        join pg_class whole on whole.oid = i.inhparent
        where whole.relname = any ($2)
          and whole.relnamespace = n.oid))
),
routines as (
  select p.oid, p.proname, p.proacl, p.proconfig, p.proowner, p.prosecdef
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = $1
    and p.proname = any ($3)
),
-- Roles that must have no rights here: everyone, and the two roles that Supabase opens to browsers.
outsiders as (
  select 0::oid as oid, 'PUBLIC' as rolname
  union all
  select oid, rolname
  from pg_roles
  where rolname in ('anon', 'authenticated')
),
app as (
  select *
  from pg_roles
  where rolname in ('farebox_app', 'farebox_user', 'farebox_reader')
)

select format('table %I has no row level security', relname)
from ours
where relkind in ('r', 'p')
  and not relrowsecurity

union all
select format('view %I does not run with its caller''s rights', relname)
from ours
where relkind = 'v'
  and not coalesce(reloptions @> array['security_invoker=true'], false)

union all
select format('%s may %s %I', coalesce(o.rolname, '?'), lower(a.privilege_type), c.relname)
from ours c
cross join aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
join outsiders o on o.oid = a.grantee

union all
select format('%I may %s %I', app.rolname, lower(a.privilege_type), c.relname)
from ours c
cross join aclexplode(c.relacl) a
join app on app.oid = a.grantee
where a.privilege_type <> 'SELECT'
  -- It reads single columns.
  or app.rolname = 'farebox_reader'

union all
select format('%s may %s the column %I of %I', r.rolname, lower(a.privilege_type), k.attname, c.relname)
from ours c
join pg_attribute k on k.attrelid = c.oid
cross join aclexplode(k.attacl) a
join (
  select oid, rolname
  from outsiders
  union all
  select oid, rolname
  from app
) r on r.oid = a.grantee
where (
  r.rolname = 'farebox_reader'
  and a.privilege_type = 'SELECT'
  and format('%s.%s', c.relname, k.attname) = any ($4)) is not true

union all
select format('%s may execute %I', o.rolname, p.proname)
from routines p
cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
join outsiders o on o.oid = a.grantee

union all
select format('%I may execute %I, which does not run with its caller''s rights', app.rolname, p.proname)
from routines p
cross join aclexplode(p.proacl) a
join app on app.oid = a.grantee
where p.prosecdef
  and app.rolname in ('farebox_user', 'farebox_reader')

union all
select format('function %I does not set the required search_path', proname)
from routines
-- A function with its caller's rights can do no more than the caller, whatever the path.
where prosecdef
  and not coalesce(proconfig @> array[format('search_path=%s, pg_temp', $1)], false)

union all
select format('%s may use the sequence %I', o.rolname, s.relname)
from ours c
join pg_depend d on d.refobjid = c.oid and d.deptype = 'i'
join pg_class s on s.oid = d.objid and s.relkind = 'S'
cross join aclexplode(s.relacl) a
join outsiders o on o.oid = a.grantee

union all
select format('%I owns %I', app.rolname, c.relname)
from ours c
join app on app.oid = c.relowner

union all
select format('%I bypasses row level security', rolname)
from app
where rolbypassrls or rolsuper

union all
select format('the connecting role %I owns %I or is a member of its owner', current_user, relname)
from ours
where pg_has_role(current_user, relowner, 'usage')

union all
select format('the connecting role %I owns %I or is a member of its owner', current_user, proname)
from routines
where pg_has_role(current_user, proowner, 'usage')

union all
select format('the connecting role %I is not a member of farebox_app', current_user)
from app
where rolname = 'farebox_app'
  and not pg_has_role(current_user, app.oid, 'usage')

union all
select format('the role %I is missing', name)
from unnest(array['farebox_app', 'farebox_user', 'farebox_reader']) name
where name not in (select rolname from app)

union all
select format('the connecting role %I bypasses row level security', rolname)
from pg_roles
where rolname = current_user
  and (rolbypassrls or rolsuper)

union all
select format('table %I is missing', name)
from unnest($2) name
where name not in (select relname from ours)

union all
select format('function %I is missing', name)
from unnest($3) name
where name not in (select proname from routines)

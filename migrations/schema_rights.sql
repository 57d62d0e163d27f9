-- Returns one row for each right through which another role could replace our functions.
--
-- $1 is the schema. Postgres resolves a call by the search_path, and picks the function whose arguments fit
-- best, even before one of pg_catalog. So a role that may create a function or an operator in our schema, or
-- owns one there, can run its own code with the rights of our functions' owner. Superusers, the database's
-- owner and members of our owner are trusted: they have these rights anyway. `farebox migrate` refuses such a
-- schema before it begins, and `farebox doctor` reports it.

with
schema as (
  select oid, nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)) as acl
  from pg_namespace
  where nspname = $1
),
-- Before the first migration, the owner is the role that migrates.
owner as (
  select coalesce(
    (
      select c.relowner
      from pg_class c
      join schema s on s.oid = c.relnamespace
      where c.relname = 'farebox_migrations'
    ),
    to_regrole(quote_ident(current_user))) as oid
),
trusted as (
  select r.oid
  from pg_roles r
  cross join owner o
  where r.rolsuper
    or r.oid = (
      select datdba
      from pg_database
      where datname = current_database())
    or r.rolname = 'pg_database_owner'
    or pg_has_role(r.oid, o.oid, 'member')
)

select format(
  '%s may create functions in the schema %I, which could replace Farebox functions',
  coalesce(quote_ident(r.rolname), 'PUBLIC'), s.nspname)
from schema s
cross join aclexplode(s.acl) a
left join pg_roles r on r.oid = a.grantee
where a.privilege_type = 'CREATE'
  and a.grantee not in (select oid from trusted)

union all
select format(
  'the function %s in the schema %I belongs to %I', f.oid::regprocedure, s.nspname,
  pg_get_userbyid(f.proowner))
from schema s
join pg_proc f on f.pronamespace = s.oid
where f.proowner not in (select oid from trusted)

union all
select format(
  'the operator %s in the schema %I belongs to %I', o.oid::regoperator, s.nspname,
  pg_get_userbyid(o.oprowner))
from schema s
join pg_operator o on o.oprnamespace = s.oid
where o.oprowner not in (select oid from trusted)

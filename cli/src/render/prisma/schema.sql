-- Describes the tables, views and lists of values of a schema, for `schema.prisma`.
--
-- $1 is the schema, $2 our tables and views in the order of the output. Partitions are read through their
-- table. Expressions and partial indexes are left out, because Prisma cannot express them.

with
ours as (
  select c.oid, c.relname, c.relkind, c.relnamespace
  from pg_class c
  where c.relnamespace = to_regnamespace(quote_ident($1))
    and c.relname = any ($2)
    and not c.relispartition
),
-- A check that a value is in a list, as Postgres prints it.
lists as (
  select
    k.contypid,
    k.conrelid,
    k.conkey[1] as attnum,
    (
      select jsonb_agg(m[1])
      from regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''::text', 'g') m
    ) as items
  from pg_constraint k
  where k.contype = 'c'
    and pg_get_constraintdef(k.oid) ~ '^CHECK \(\(\w+ = ANY \(ARRAY\[[^]]*\]\)\)\)$'
),
columns as (
  select
    a.attrelid,
    jsonb_agg(
      jsonb_build_object(
        'name', a.attname,
        'type', format_type(
          coalesce(nullif(coalesce(element.typbasetype, t.typbasetype), 0), element.oid, t.oid),
          a.atttypmod),
        'is_array', element.oid is not null,
        -- Postgres does not know it of a view's column. Its comment does.
        'is_nullable', case
          when ours.relkind = 'v' then col_description(a.attrelid, a.attnum) ~* '\mnull\M'
          else not a.attnotnull
        end,
        'list', case when domain_list.items is not null then t.typname end,
        'values', column_list.items,
        'comment', col_description(a.attrelid, a.attnum))
      order by a.attnum) as found
  from pg_attribute a
  join ours on ours.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  left join pg_type element on element.oid = t.typelem and t.typcategory = 'A'
  left join lists domain_list on domain_list.contypid = t.oid and t.typtype = 'd'
  left join lists column_list on column_list.conrelid = a.attrelid and column_list.attnum = a.attnum
  where a.attnum > 0
    and not a.attisdropped
  group by a.attrelid
),
indexes as (
  select
    i.indrelid,
    jsonb_agg(
      jsonb_build_object(
        'name', c.relname,
        'is_primary', i.indisprimary,
        'is_unique', i.indisunique,
        'columns', (
          select jsonb_agg(
            jsonb_build_object(
              'name', a.attname,
              'is_descending', (i.indoption[key.position - 1] & 1) = 1)
            order by key.position)
          from unnest(i.indkey) with ordinality key (attnum, position)
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum
          where key.position <= i.indnkeyatts))
      order by i.indisprimary desc, i.indisunique desc, c.relname) as found
  from pg_index i
  join ours on ours.oid = i.indrelid
  join pg_class c on c.oid = i.indexrelid
  join pg_am on pg_am.oid = c.relam
  where i.indpred is null
    and i.indexprs is null
    and pg_am.amname = 'btree'
  group by i.indrelid
),
foreign_keys as (
  select
    k.conrelid,
    jsonb_agg(
      jsonb_build_object(
        'columns', (
          select jsonb_agg(a.attname order by key.position)
          from unnest(k.conkey) with ordinality key (attnum, position)
          join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum),
        'target', target.relname,
        'target_columns', (
          select jsonb_agg(a.attname order by key.position)
          from unnest(k.confkey) with ordinality key (attnum, position)
          join pg_attribute a on a.attrelid = k.confrelid and a.attnum = key.attnum),
        'is_cascade', k.confdeltype = 'c')
      order by k.conname) as found
  from pg_constraint k
  join ours on ours.oid = k.conrelid
  join pg_class target on target.oid = k.confrelid
  where k.contype = 'f'
  group by k.conrelid
)

select jsonb_build_object(
  'relations', (
    select jsonb_agg(
      jsonb_build_object(
        'name', o.relname,
        'comment', obj_description(o.oid, 'pg_class'),
        'columns', columns.found,
        'indexes', coalesce(indexes.found, '[]'),
        'foreign_keys', coalesce(foreign_keys.found, '[]'))
      order by array_position($2, o.relname::text))
    from ours o
    join columns on columns.attrelid = o.oid
    left join indexes on indexes.indrelid = o.oid
    left join foreign_keys on foreign_keys.conrelid = o.oid),
  'lists', (
    select jsonb_agg(
      jsonb_build_object('name', t.typname, 'values', lists.items)
      order by t.typname)
    from pg_type t
    join lists on lists.contypid = t.oid
    where t.typnamespace = to_regnamespace(quote_ident($1))))

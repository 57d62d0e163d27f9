-- rotate_partitions: Creates the partitions of the next days or months, and drops expired ones.
--
-- A partition covers a day or a month, as `retention` says. It expires when `retention` keeps none of its
-- rows.
--
-- Promises  Returns the partitions it created (`made`) and `dropped`, and those it could not create or drop
--           now (`postponed`). It creates those of this month and the next two, or of today and the next six
--           days. Time that has rows in the default partition gets no partition, and neither do the days of
--           a table without rows. Days and months are in UTC.
-- Locks     The table, and for usage_events also `accounts`, exclusively, only if there is something to do.
--           It waits at most a quarter of a second, because writers queue behind it.
-- Races     An insert for a time without a partition goes to the default partition, so that none fails.

create or replace function rotate_partitions(p_now call_time)
returns jsonb
language plpgsql
security definer
set search_path from current
set lock_timeout to '250ms'
as $$
declare
  v_item      record;
  v_made      text[] := '{}';
  v_dropped   text[] := '{}';
  v_postponed text[] := '{}';
begin
  perform require_service();

  for v_item in
    select
      r.table_name,
      r.time_column,
      starts_at,
      starts_at + span as ends_at,
      format('%s_%s', r.table_name, to_char(starts_at, suffix)) as name
    from retention r
    join partition_spans() on unit = r.partitioned_by
    cross join generate_series(0, ahead) step
    cross join lateral (
      select date_trunc(unit, p_now at time zone 'UTC') + step * span
    ) as of_step (starts_at)
    where unit = 'month'
      or has_rows(r.table_name)
    order by r.table_name, starts_at
  loop
    if to_regclass(v_item.name) is null then
      if create_partition(
        v_item.table_name, v_item.time_column, v_item.name, v_item.starts_at, v_item.ends_at)
      then
        v_made := v_made || v_item.name;
      else
        v_postponed := v_postponed || v_item.name;
      end if;
    end if;
  end loop;

  for v_item in
    select c.relname::text as name
    from retention r
    join partition_spans() on unit = r.partitioned_by
    join pg_inherits i on i.inhparent = r.table_name::regclass
    join pg_class c on c.oid = i.inhrelid
    where c.relname ~ '_\d{4}(_\d\d)+$'
      and to_date(right(c.relname, length(suffix)), suffix) + span <= (p_now - r.keep) at time zone 'UTC'
    order by c.relname
  loop
    begin
      execute format('drop table %I', v_item.name);
      v_dropped := v_dropped || v_item.name;
    exception
      when lock_not_available or deadlock_detected then
        v_postponed := v_postponed || v_item.name;
    end;
  end loop;

  return jsonb_build_object('made', v_made, 'dropped', v_dropped, 'postponed', v_postponed);
end
$$;

-- partition_spans: Returns the time that a partition covers, by `retention.partitioned_by`.
--
-- Promises  `suffix` is the date in a partition's name, and `ahead` the number of partitions that exist in
--           advance.

create or replace function partition_spans()
returns table (unit text, span interval, suffix text, ahead integer)
language sql
immutable
as $$
  values
    ('day', interval '1 day', 'YYYY_MM_DD', 6),
    ('month', interval '1 month', 'YYYY_MM', 2)
$$;

-- has_rows: Returns whether a table has a row.
--
-- Promises  Reads one row. A log that is off, and so empty, gets no partitions.

create or replace function has_rows(p_table text)
returns boolean
language plpgsql
stable
as $$
declare
  v_has_rows boolean;
begin
  execute format('select exists (select from %I)', p_table)
  into v_has_rows;

  return v_has_rows;
end
$$;

-- create_partition: Creates the partition of one day or month.
--
-- Promises  No role has rights on it, and it has no policy: its rows are read through the table. Returns
--           false if the default partition has rows of that time, or if another transaction holds a lock.

create or replace function create_partition(
  p_table     text,
  p_column    text,
  p_name      text,
  p_starts_at timestamp,
  p_ends_at   timestamp
)
returns boolean
language plpgsql
as $$
declare
  v_from     timestamptz := p_starts_at at time zone 'UTC';
  v_until    timestamptz := p_ends_at at time zone 'UTC';
  v_roles    text := (
    select string_agg(quote_ident(rolname), ', ')
    from pg_roles
    where rolname in ('farebox_app', 'farebox_user', 'farebox_reader', 'anon', 'authenticated'));
  v_is_taken boolean;
begin
  execute format(
    'select exists (
       select
       from %1$I
       where %2$I >= %3$L
         and %2$I < %4$L)',
    p_table || '_default', p_column, v_from, v_until)
  into v_is_taken;

  if v_is_taken then
    return false;
  end if;

  execute format(
    'create table %I partition of %I for values from (%L) to (%L)',
    p_name, p_table, v_from, v_until);
  execute format('alter table %I enable row level security', p_name);
  execute format('revoke all on table %I from %s', p_name, concat_ws(', ', 'public', v_roles));

  return true;
exception
  when lock_not_available or deadlock_detected or check_violation or duplicate_table then
    return false;
end
$$;

-- rotate_partitions: Creates the partitions of this month and the next two, and drops expired ones.
--
-- A partition expires when `retention` keeps none of its rows.
--
-- Promises  Returns the partitions it created (`made`) and `dropped`, and those it could not create or drop
--           now (`postponed`). A month that has rows in the default partition gets no partition. Months are
--           in UTC.
-- Locks     The table, and for usage_events also `accounts`, exclusively, only if there is something to do.
--           It waits at most a quarter of a second, because writers queue behind it.
-- Races     An insert for a month without a partition goes to the default partition, so that none fails.

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
      month,
      format('%s_%s', r.table_name, to_char(month, 'YYYY_MM')) as name
    from retention r
    join pg_partitioned_table p on p.partrelid = r.table_name::regclass
    cross join generate_series(0, 2) ahead
    cross join lateral (
      select date_trunc('month', p_now at time zone 'UTC') + make_interval(months => ahead)
    ) as of_month (month)
    order by r.table_name, month
  loop
    if to_regclass(v_item.name) is null then
      if create_partition(v_item.table_name, v_item.time_column, v_item.name, v_item.month) then
        v_made := v_made || v_item.name;
      else
        v_postponed := v_postponed || v_item.name;
      end if;
    end if;
  end loop;

  for v_item in
    select c.relname::text as name
    from retention r
    join pg_inherits i on i.inhparent = r.table_name::regclass
    join pg_class c on c.oid = i.inhrelid
    where c.relname ~ '_\d{4}_\d\d$'
      and to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month'
        <= (p_now - r.keep) at time zone 'UTC'
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

-- create_partition: Creates the partition of one month.
--
-- Promises  No role has rights on it, and it has no policy: its rows are read through the table. Returns
--           false if the default partition has rows of that month, or if another transaction holds a lock.

create or replace function create_partition(
  p_table  text,
  p_column text,
  p_name   text,
  p_month  timestamp
)
returns boolean
language plpgsql
as $$
declare
  v_from     timestamptz := p_month at time zone 'UTC';
  v_until    timestamptz := (p_month + interval '1 month') at time zone 'UTC';
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

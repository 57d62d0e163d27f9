-- delete_expired: Deletes rows that are older than `retention` keeps them.
--
-- Promises  Handles one batch of each table of `p_tables`, or of every table if that is empty. Returns for
--           each how many rows it deleted or cleared (`rows`), and whether to call it again (`has_more`).
--           `p_batch` is a number of pages for a table that is read page by page, and of rows for the
--           others; of histories it also limits the users.
-- Locks     The table's row in `retention`, so that concurrent runs work on different tables. Then the rows
--           it deletes. It skips locked ones.

create or replace function delete_expired(p_tables text[], p_now call_time, p_batch page_size)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_table  text;
  v_report jsonb := '{}';
begin
  perform require_service();

  for v_table in
    select name
    from (
      select table_name
      from retention
      where keep is not null
      union all
      select unnest(array['history', 'stripe_requests'])
    ) expiring (name)
    where cardinality(p_tables) = 0
      or name = any (p_tables)
    order by name
  loop
    v_report := v_report || jsonb_build_object(
      v_table,
      case v_table
        when 'failed_webhooks' then delete_failed_webhooks(p_now, p_batch)
        when 'history' then delete_old_history(p_now, p_batch)
        when 'stripe_requests' then delete_stripe_requests(p_now, p_batch)
        else delete_expired_pages(v_table, p_now, p_batch)
      end);
  end loop;

  return v_report;
end
$$;

-- delete_expired_pages: Deletes the expired rows of some pages of a table.
--
-- Promises  Begins at the page where the last call stopped, and starts over after the last page. So inserts
--           need no index on the time, and a call costs the same however large the table is. Of a partitioned
--           table it reads the default partition: rotate_partitions() drops the others.

create or replace function delete_expired_pages(p_table text, p_now timestamptz, p_pages bigint)
returns jsonb
language plpgsql
as $$
declare
  v_retention retention;
  v_rows      bigint;
  v_table     regclass;
  v_pages     bigint;
  v_next      bigint;
begin
  select *
  into v_retention
  from retention
  where table_name = p_table
  for update skip locked;

  if not found or v_retention.keep is null then
    return jsonb_build_object('rows', 0, 'has_more', false);
  end if;

  select coalesce(d.oid, c.oid)
  into v_table
  from pg_class c
  left join pg_partitioned_table p on p.partrelid = c.oid
  left join pg_class d on d.oid = p.partdefid
  where c.oid = p_table::regclass;

  v_pages := pg_relation_size(v_table) / current_setting('block_size')::bigint;
  v_next := v_retention.next_page + p_pages;

  execute format(
    'delete from %1$s
     where ctid = any (array(
       select ctid
       from %1$s
       where ctid >= %2$L::tid
         and ctid < %3$L::tid
         and %4$I < %5$L::timestamptz
       for update skip locked))',
    v_table,
    format('(%s,0)', v_retention.next_page),
    format('(%s,0)', v_next),
    v_retention.time_column,
    p_now - v_retention.keep);

  get diagnostics v_rows = row_count;

  update retention
  set next_page = case when v_next < v_pages then v_next else 0 end
  where table_name = p_table;

  return jsonb_build_object('rows', v_rows, 'has_more', v_next < v_pages);
end
$$;

-- delete_failed_webhooks: Deletes old payloads of dead letters, and dead letters that were resolved long ago.
--
-- Promises  An open dead letter stays, without its payload, until an operator resolves it.

create or replace function delete_failed_webhooks(p_now timestamptz, p_batch bigint)
returns jsonb
language plpgsql
as $$
declare
  v_before timestamptz := (
    select p_now - keep
    from retention
    where table_name = 'failed_webhooks');
  v_rows   bigint;
begin
  with due as (
    select id, coalesce(resolved_at < v_before, false) as is_over
    from failed_webhooks
    where failed_at < v_before
      and (payload is not null or resolved_at < v_before)
    limit p_batch
    for update skip locked
  ),
  deleted as (
    delete from failed_webhooks f
    using due
    where f.id = due.id
      and due.is_over
  ),
  cleared as (
    update failed_webhooks f
    set payload = null,
        next_try_at = null
    from due
    where f.id = due.id
      and not due.is_over
  )
  select count(*)
  into v_rows
  from due;

  return jsonb_build_object('rows', v_rows, 'has_more', v_rows = p_batch);
end
$$;

-- delete_stripe_requests: Deletes records of requests to Stripe that are older than a day.
--
-- Promises  Keeps a request that a caller still works on. Stripe keeps its idempotency keys for as long.

create or replace function delete_stripe_requests(p_now timestamptz, p_batch bigint)
returns jsonb
language plpgsql
as $$
declare
  v_rows bigint;
begin
  delete from stripe_requests
  where id = any (array(
    select id
    from stripe_requests
    where created_at < p_now - interval '24 hours'
      and (leased_until is null or leased_until <= p_now)
    limit p_batch
    for update skip locked));

  get diagnostics v_rows = row_count;

  return jsonb_build_object('rows', v_rows, 'has_more', v_rows = p_batch);
end
$$;

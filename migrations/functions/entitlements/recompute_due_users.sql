-- recompute_due_users: Recomputes the entitlements that are due.
--
-- An account is due when credits begin or expire, or when a plan or a grace period ends. A new catalog makes
-- accounts due too (mark_next_users).
--
-- Promises  Recomputes at most `p_batch` users per call, the longest due first, and returns the entitlement
--           of each, to be pushed. A user whose recompute fails stays due. It is retried after an hour, or
--           after a minute if the cause is temporary. An account that was never computed is skipped.
-- Locks     The accounts of all of these users. It skips locked ones.
-- Races     Concurrent runs share the work. A locked account waits for the next run.

create or replace function recompute_due_users(p_now call_time, p_batch page_size)
returns setof jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_user_id text;
begin
  perform require_service();
  perform mark_next_users(p_now, p_batch);

  for v_user_id in
    with due as (
      select id
      from accounts
      where due_at > '-infinity'
        and due_at <= p_now
        and (retry_at is null or retry_at <= p_now)
      order by due_at
      limit p_batch
      for update skip locked
    )
    select id
    from due
    order by id
  loop
    begin
      perform recompute_entitlement(v_user_id, p_now);
      return next entitlement_view(v_user_id, p_now);
    exception
      -- One failure must not stop the others.
      when others then
        raise warning 'recomputing an entitlement failed, and is retried later: %', sqlerrm;
        update accounts
        set retry_at = p_now + case
              -- Conflicts, lack of resources and locks are temporary.
              when left(sqlstate, 2) in ('40', '53', '55') then interval '1 minute'
              else interval '1 hour'
            end
        where id = v_user_id;
    end;
  end loop;
end
$$;

-- mark_next_users: Marks a page of the default plan's users as due, after a catalog changed their credits.
--
-- Promises  Reads ten times `p_batch` users per call, ordered by id, until the last one. Skips a user whom
--           another call has recomputed since.
-- Locks     The row of catalog_state, which it skips if another run holds it; then the accounts, by id.

create or replace function mark_next_users(p_now timestamptz, p_batch integer)
returns void
language plpgsql
as $$
declare
  v_state catalog_state;
  v_page  text[];
begin
  select *
  into v_state
  from catalog_state
  where marked_until is not null
  for update skip locked;

  if not found then
    return;
  end if;

  v_page := array(
    select user_id
    from entitlements
    where source = 'default'
      and user_id > v_state.marked_until
    order by user_id
    limit 10 * p_batch);

  update accounts
  set due_at = p_now
  from (
    select id
    from accounts
    where id = any (v_page)
      and due_at > p_now
      and catalog_epoch <> v_state.epoch
    order by id
    for update
  ) outdated
  where accounts.id = outdated.id;

  update catalog_state
  set marked_until = v_page[10 * p_batch];
end
$$;

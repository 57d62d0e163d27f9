-- lock_and_refresh_user: what every call that uses something up, or gives something to use, does first.
--
-- Promises  The user's row is there and the caller's, and what time alone was to change by now has
--           changed: expired credits are gone, those of a period that has begun are there, a plan that
--           has ended is over. If any of it did, it is shown within minutes. A user who was erased is
--           refused with FB001.
-- Locks     The user's row.
-- Races     The user's row puts callers in line. What one has posted the next one sees in its next
--           statement, not before: whoever looks for an idempotency key looks after this call.

create or replace function lock_and_refresh_user(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_before bigint;
begin
  perform 1
  from accounts
  where id = p_user_id
    and due_at > p_now
  for update;

  if found then
    return;
  end if;

  perform ensure_account(p_user_id, p_now);
  select entitlement_version
  into v_before
  from accounts
  where id = p_user_id;
  perform recompute_entitlement(p_user_id, p_now);

  -- Whoever came by was not the job, which shows what it changes.
  if v_before > 0 then
    perform repair_cache(p_user_id, p_now)
    from accounts
    where id = p_user_id
      and entitlement_version > v_before;
  end if;
end
$$;

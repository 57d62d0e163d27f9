-- lock_and_refresh_user: the first call of every function that uses something up, or grants something.
--
-- Promises  The account exists and is locked, and what time or a new catalog was to change by now has
--           changed: expired credits are gone, those of a period that has begun are there, a plan that
--           has ended is over. If any of it did, the minute job pushes it. A user who was erased is
--           refused with FB001.
-- Locks     The account's row.
-- Races     The row puts callers in line. What one has posted the next one sees in its next statement, not
--           before: a caller looks for an idempotency key after this call.

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
    and catalog_epoch = (
      select epoch
      from catalog_state)
  for update;

  if found then
    return;
  end if;

  perform ensure_account(p_user_id, p_now);
  v_before := sum_of_versions(p_user_id);
  perform recompute_entitlement(p_user_id, p_now);

  -- Only the minute job pushes what it recomputes.
  if v_before > 0 and sum_of_versions(p_user_id) > v_before then
    perform repair_cache(p_user_id, p_now);
  end if;
end
$$;

-- sum_of_versions: Adds up the versions of a user's entitlement.
--
-- Promises  The sum grows with every change of the terms or of a balance.

create or replace function sum_of_versions(p_user_id text)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select a.entitlement_version + (
      select coalesce(sum(w.version), 0)
      from wallets w
      where w.user_id = p_user_id)
    from accounts a
    where a.id = p_user_id);
end
$$;

-- lock_and_refresh_user: Locks a user's account, and applies every change that is due.
--
-- Promises  The account exists and is locked. Expired credits are removed, the credits of a period that has
--           begun are granted, a plan that has ended is over, and a new default plan is in effect. If any of
--           this changed something, the minute job pushes it. Every function that spends or grants calls this
--           first. An erased user is refused with FB001.
-- Locks     The account.
-- Races     Callers take turns. A caller sees what the previous one posted only in its next statement, so it
--           looks for an idempotency key after this call.

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

  -- The caller pushes only its own change: the minute job pushes this one.
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

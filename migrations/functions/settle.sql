-- internal: called by our functions, not by farebox_app.
--
-- settle: what a user may do, after anything it depends on has changed.
--
-- Promises  The entitlement is what is due. Its version grows if anything changed, and never falls
--           behind the clock, so that no restored backup can win; the identity provider is told.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function settle(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_due record;
begin
  select *
  into v_due
  from due_entitlement(p_user_id, p_now);

  if v_due.plan is null then
    -- There is no catalog yet, so there is nothing to be entitled to.
    return;
  end if;

  insert into entitlements as e (
    user_id, plan, plan_version, source, status, version, updated_at)
  values (
    p_user_id, v_due.plan, v_due.version, v_due.source, v_due.status,
    (extract(epoch from p_now) * 1000)::bigint, p_now)
  on conflict (user_id) do update
  set plan = excluded.plan,
      plan_version = excluded.plan_version,
      source = excluded.source,
      status = excluded.status,
      version = greatest(e.version + 1, excluded.version),
      updated_at = excluded.updated_at
  where (e.plan, e.plan_version, e.source, e.status)
    is distinct from (excluded.plan, excluded.plan_version, excluded.source, excluded.status);

  if found then
    perform enqueue('identity', format('identity:%s', p_user_id), p_user_id, '{}', p_now, p_now);
  end if;
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- current_entitlement: a user's entitlement in the form in which it is pushed to the cache.
--
-- Promises  Null for someone who has none yet.
-- Locks     None of its own: a caller who pushes it holds the user's row.
-- Races     Of two pushes the one with the greater version stays.

create or replace function current_entitlement(p_user_id text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'user_id', e.user_id,
      'version', e.version,
      'plan', e.plan,
      'plan_name', v.name,
      'source', e.source,
      'status', e.status,
      'credits', (
        select coalesce(jsonb_object_agg(unit, balance), '{}')
        from credit_balances
        where user_id = e.user_id))
    from entitlements e
    join pricing_plan_versions v
      on v.plan = e.plan
      and v.version = e.plan_version
    where e.user_id = p_user_id);
end
$$;

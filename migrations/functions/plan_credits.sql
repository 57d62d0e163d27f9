-- internal: called by our functions, not by farebox_app.
--
-- plan_credits: the credits that a version of a plan gives each billing period, a row a unit.
--
-- Promises  None for a plan that gives none; on trial none for one that has no trial, which was changed to
--           for nothing.
-- Locks     None.
-- Races     None: a version of a plan never changes.

create or replace function plan_credits(p_plan text, p_version integer, p_is_trial boolean)
returns table (unit text, amount bigint, rolls_over boolean)
language plpgsql
stable
as $$
begin
  return query
  select
    feature.value ->> 'unit',
    (feature.value ->> 'amount')::bigint,
    coalesce((feature.value ->> 'rollover')::boolean, false)
  from pricing_plan_versions v
  cross join lateral jsonb_each(v.features) feature
  where v.plan = p_plan
    and v.version = p_version
    and (v.trial_days > 0 or not p_is_trial)
    and feature.value ->> 'type' = 'credits'
    and (feature.value ->> 'amount')::bigint > 0;
end
$$;

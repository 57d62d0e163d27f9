-- internal: called by our functions, not by farebox_app.
--
-- begins_credits: whether a renewal brings credits.
--
-- Promises  True if the period is another one and the plan grants credits.
-- Locks     None.
-- Races     None.

create or replace function begins_credits(p_before subscriptions, p_after subscriptions)
returns boolean
language plpgsql
stable
as $$
begin
  return p_before.current_period_end is distinct from p_after.current_period_end
    and exists (
      select 1
      from pricing_plan_versions
      where plan = p_after.plan
        and version = p_after.plan_version
        and features @? '$.* ? (@.type == "credits" && @.amount > 0)');
end
$$;

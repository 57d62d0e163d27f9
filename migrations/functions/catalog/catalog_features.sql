-- catalog_features: Returns every feature of the current catalog, with the terms of one of its plans.
--
-- Promises  A plan version lists every feature that existed when it was published, so the newest version
--           lists them all. Null before the first catalog. Runs with its caller's rights.

create or replace function catalog_features()
returns jsonb
language plpgsql
stable
set search_path from current
as $$
begin
  return (
    select v.features
    from current_plans c
    join pricing_plan_versions v using (plan, version)
    order by v.created_at desc, v.is_default desc, v.plan
    limit 1);
end
$$;

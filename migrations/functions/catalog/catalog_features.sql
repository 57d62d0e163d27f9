-- catalog_features: every feature of the present catalog, as one of its plans has it.
--
-- Promises  Every version of a plan lists every feature that there was when it was published, so the
--           newest has them all. Null before the first catalog. Runs with its caller's rights.

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

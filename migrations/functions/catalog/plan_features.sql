-- plan_features: Returns what a plan version gives of each feature, and which plans give more.
--
-- Promises  The result of compute_plan_features, which publish_catalog stores for each version. Runs with its
--           caller's rights.

create or replace function plan_features(p_plan text, p_version integer)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
begin
  return (
    select features
    from plan_terms
    where plan = p_plan
      and version = p_version);
end
$$;

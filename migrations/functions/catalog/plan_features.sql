-- plan_features: what a version of a plan gives of every feature there is, and where more is to be had.
--
-- Promises  A feature that is newer than the version is there, and not in it. `upgrades` are the plans on
--           sale that give more, the lowest first, with what they give: an amount of credits, or how often it
--           may be used before it is refused, null where it never is. Runs with its caller's rights.

create or replace function plan_features(p_plan text, p_version integer)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
declare
  v_features jsonb;
begin
  select features
  into v_features
  from plan_terms
  where plan = p_plan
    and version = p_version;

  -- A catalog that was published before these were kept.
  return coalesce(v_features, compute_plan_features(p_plan, p_version));
end
$$;

-- is_unit: Returns whether the current catalog has credits of a unit.
--
-- Promises  Checks packs and the features of plans.

create or replace function is_unit(p_unit text)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from credit_packs
    where unit = p_unit
  ) or exists (
    select 1
    from current_plans c
    join pricing_plan_versions v using (plan, version)
    cross join lateral jsonb_each(v.features) feature
    where feature.value ->> 'type' = 'credits'
      and feature.value ->> 'unit' = p_unit
  );
end
$$;

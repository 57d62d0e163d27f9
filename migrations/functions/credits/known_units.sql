-- known_units: the units of credits that mean something to a user.
--
-- Promises  Those of the present catalog, and those the user has had. Runs with its caller's rights.

create or replace function known_units(p_user_id permitted_user)
returns setof text
language plpgsql
stable
set search_path from current
as $$
begin
  return query
  select unit
  from credit_balances
  where user_id = p_user_id
  union
  select unit
  from credit_packs
  union
  select feature.value ->> 'unit'
  from jsonb_each(catalog_features()) feature
  where feature.value ->> 'type' = 'credits';
end
$$;

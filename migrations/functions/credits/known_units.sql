-- known_units: Returns the units of credits that the API lists for a user.
--
-- Promises  The units of the current catalog, and those that the user has had. Runs with its caller's rights.

create or replace function known_units(p_user_id permitted_user)
returns setof text
language plpgsql
stable
set search_path from current
as $$
begin
  return query
  select unit
  from wallets
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

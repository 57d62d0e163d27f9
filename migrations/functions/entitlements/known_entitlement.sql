-- known_entitlement: a user's entitlement_view, where there is one to show.
--
-- Promises  Null for someone of whom nothing was worked out yet.
-- Locks     None of its own: a caller who pushes it holds the user's row.
-- Races     Of two pushes the one with the greater version stays.

create or replace function known_entitlement(p_user_id text, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select entitlement_view(user_id, p_now)
    from entitlements
    where user_id = p_user_id);
end
$$;

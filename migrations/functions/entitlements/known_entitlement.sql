-- known_entitlement: Returns a user's entitlement_view, if the entitlement was ever computed.
--
-- Promises  Null for a user without a computed entitlement.
-- Locks     None. A caller that pushes the result holds the account.
-- Races     Of two pushes, the one with the greater version stays.

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

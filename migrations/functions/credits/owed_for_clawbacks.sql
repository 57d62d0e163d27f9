-- owed_for_clawbacks: Returns how much of a user's debt comes from clawbacks.
--
-- Promises  The sum of `borrowed` less the sum of `lent`: what clawbacks took, and no grant gave.
-- Locks     The caller holds the account.

create or replace function owed_for_clawbacks(p_user_id text, p_unit text)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select coalesce(greatest(sum(borrowed) - sum(lent), 0), 0)::bigint
    from credit_grants
    where user_id = p_user_id
      and unit = p_unit
      and (lent > 0 or borrowed > 0));
end
$$;

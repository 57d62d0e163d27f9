-- amount_owed: what a user's balance lacks to zero.
--
-- Promises  What comes in pays it first.
-- Locks     The caller holds the account's row.

create or replace function amount_owed(p_user_id text, p_unit text)
returns bigint
language plpgsql
stable
as $$
begin
  return coalesce(
    (
      select greatest(-balance, 0)
      from credit_balances
      where user_id = p_user_id
        and unit = p_unit
    ),
    0);
end
$$;

-- amount_owed: Returns how far a user's balance is below zero.
--
-- Promises  Zero for a balance that is not below zero. New credits pay this debt first.
-- Locks     The caller holds the account.

create or replace function amount_owed(p_user_id text, p_unit text)
returns bigint
language plpgsql
stable
as $$
begin
  return coalesce(
    (
      select greatest(-balance, 0)
      from wallets
      where user_id = p_user_id
        and unit = p_unit
    ),
    0);
end
$$;

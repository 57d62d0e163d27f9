-- internal: called by our functions, not by farebox_app.
--
-- credits_owed: what a user's balance lacks to zero.
--
-- Promises  What comes in pays it first.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function credits_owed(p_user_id text, p_unit text)
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

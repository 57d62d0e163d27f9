-- internal: called by our functions, not by farebox_app.
--
-- refuse_spend: says that a user has not as many credits as they want to spend.
--
-- Promises  Never returns: FB008 with the balance and what was needed; FB005 for a unit of nobody's (ensure_unit).
-- Locks     None.
-- Races     The caller holds the user's row.

create or replace function refuse_spend(p_user_id text, p_unit text, p_amount bigint)
returns void
language plpgsql
as $$
declare
  v_balance bigint := (
    select balance
    from credit_balances
    where user_id = p_user_id
      and unit = p_unit);
begin
  perform ensure_unit(p_user_id, p_unit);

  perform refuse(
    'insufficient_credits',
    jsonb_build_object('unit', p_unit, 'balance', coalesce(v_balance, 0), 'needed', p_amount));
end
$$;

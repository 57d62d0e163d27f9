-- internal: called by our functions, not by farebox_app.
--
-- refuse_spend: says that a user has not as many credits as they want to spend.
--
-- Promises  Never returns: FB008 and the balance; FB005 for a unit of nobody's (ensure_unit).
-- Locks     None.
-- Races     The caller holds the user's row.

create or replace function refuse_spend(p_user_id text, p_unit text)
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

  raise exception using
    errcode = 'FB008',
    message = jsonb_build_object('balance', coalesce(v_balance, 0));
end
$$;

-- balance_before: a user's balance of a unit before a given row of the ledger.
--
-- Promises  Null if no row of the unit comes before it.

create or replace function balance_before(p_user_id text, p_unit text, p_seq bigint)
returns bigint
language plpgsql
stable
as $$
begin
  return (
    select balance_after
    from credit_transactions
    where user_id = p_user_id
      and unit = p_unit
      and seq < p_seq
    order by seq desc
    limit 1);
end
$$;

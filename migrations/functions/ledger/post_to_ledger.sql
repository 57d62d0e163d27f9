-- post_to_ledger: moves a balance, which may go below zero, and writes the row of the ledger.
--
-- Promises  As write_to_ledger, which see for `p_about`. What leaves a balance beyond 10^15 by hand, or
--           by a pack, is refused with FB005: what plans and refunds move, which nobody could refuse, then
--           stays far from what not every client reads exactly (2^53). What is in which bucket is the caller's to
--           change.
-- Locks     None of its own: the caller holds the user's row, which puts the rows in line.

create or replace function post_to_ledger(
  p_user_id text,
  p_unit    text,
  p_delta   bigint,
  p_kind    text,
  p_about   jsonb,
  p_now     timestamptz
)
returns credit_transactions
language plpgsql
as $$
declare
  v_balance bigint;
begin
  insert into credit_balances as b (user_id, unit, balance, topped_up)
  values (p_user_id, p_unit, p_delta, greatest(p_delta, 0))
  on conflict (user_id, unit) do update
  set balance = b.balance + excluded.balance,
      topped_up = case
        when p_delta > 0 then greatest(b.balance + excluded.balance, 0)
        else b.topped_up
      end
  returning balance into v_balance;

  if p_kind in ('grant', 'adjust', 'opening', 'purchase') and abs(v_balance) > 1000000000000000 then
    perform refuse_input('balance_too_large');
  end if;

  return write_to_ledger(p_user_id, p_unit, p_delta, v_balance, p_kind, p_about, p_now);
end
$$;

-- spend_credits: takes credits from a user who has them.
--
-- Promises  Once per idempotency key, for good: a retry is answered the first row again. The soonest to
--           expire go first. More than the balance is refused with FB008 and changes nothing; a unit of
--           nobody's with FB005, an amount that is not above zero with 22023. The user is told when four fifths of what came in last are gone, and
--           when all of it is.
-- Locks     The user's row (begin_change).
-- Races     Calls for one user take turns, so that no two spend the same credit. Of two with one key the
--           second waits, and finds what the first posted.

create or replace function spend_credits(
  p_user_id     permitted_user,
  p_unit        text,
  p_amount      positive_amount,
  p_about       jsonb,
  p_key         text,
  p_fingerprint text,
  p_now         call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_held record;
  v_row  credit_transactions;
begin
  perform begin_change(p_user_id, p_now);

  if p_key is not null then
    v_row := replayed_transaction(p_key, p_fingerprint);
    if v_row.id is not null then
      return credits_moved(v_row);
    end if;
  end if;

  update credit_balances
  set balance = balance - p_amount
  where user_id = p_user_id
    and unit = p_unit
    and balance >= p_amount
  returning balance, topped_up
  into v_held;

  if not found then
    perform refuse_spend(p_user_id, p_unit, p_amount);
  end if;

  perform burn_credits(p_user_id, p_unit, p_amount, null);
  v_row := write_to_ledger(
    p_user_id, p_unit, -p_amount, v_held.balance, 'spend',
    coalesce(p_about, '{}') || jsonb_build_object('source', p_key, 'fingerprint', p_fingerprint), p_now);

  perform notice_credits(v_row, v_held.topped_up, p_now);

  return credits_moved(v_row);
end
$$;

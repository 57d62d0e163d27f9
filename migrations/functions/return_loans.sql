-- internal: called by our functions, not by farebox_app.
--
-- return_loans: gives back what a refund or a dispute took that was not its own payment's.
--
-- Promises  What is still owed for payments is owed no more; then to the buckets that have lent, the last to
--           expire first, whoever borrowed of them: what stays borrowed is what would be spent first. A
--           bucket that has expired expires anew. Answers what is left for the payment's own bucket, and
--           what is still owed.
-- Takes     In `p_credits`: the payment, and how much of it comes back. In `p_owed`: what the user owes in
--           all (credits_owed), which is paid first.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function return_loans(
  p_credits  credit_buckets,
  p_owed     bigint,
  out amount bigint,
  out owed   bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_debt   bigint := owed_for_payments(p_credits.user_id, p_credits.unit);
  v_left   bigint := (
    select least(borrowed, p_credits.amount)
    from credit_buckets
    where payment_id = p_credits.payment_id);
  v_owed   bigint := p_owed;
  v_paid   bigint;
  v_back   bigint;
  v_lender record;
begin
  v_left := coalesce(v_left, 0);
  amount := p_credits.amount - v_left;
  update credit_buckets
  set borrowed = borrowed - v_left
  where payment_id = p_credits.payment_id
    and v_left > 0;

  v_paid := least(v_left, v_debt, v_owed);
  v_owed := v_owed - v_paid;
  v_left := v_left - v_paid;

  while v_left > 0 loop
    select id, lent
    into v_lender
    from credit_buckets
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and lent > 0
    order by expires_at desc, priority desc, id desc
    limit 1;

    exit when not found;

    v_back := least(v_lender.lent, v_left);
    v_left := v_left - v_back;
    v_paid := least(v_back, v_owed);
    v_owed := v_owed - v_paid;
    update credit_buckets
    set lent = lent - v_back,
        remaining = remaining + v_back - v_paid,
        amount = greatest(amount, remaining + v_back - v_paid)
    where id = v_lender.id;
  end loop;

  amount := amount + v_left;
  owed := v_owed;
end
$$;

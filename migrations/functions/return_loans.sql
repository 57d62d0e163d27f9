-- internal: called by our functions, not by farebox_app.
--
-- return_loans: gives back what a refund or a dispute took that was not its own payment's.
--
-- Promises  To where it came from, what was taken last first, so that what goes and comes back leaves
--           everything as it was; what is still owed for it is owed no more. A bucket that has expired
--           expires anew. Answers what is left for the payment's own bucket, and what is still owed.
-- Takes     In `p_credits`: the payment, and how much of it comes back. In `p_owed`: what the user owes in
--           all, which is paid first.
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
  v_left   bigint := p_credits.amount;
  v_owed   bigint := p_owed;
  v_loan   credit_loans;
  v_back   bigint;
  v_paid   bigint;
  v_bucket credit_buckets;
begin
  for v_loan in
    select *
    from credit_loans
    where payment_id = p_credits.payment_id
    order by bucket_id is not null, id desc
  loop
    exit when v_left = 0;

    v_back := least(v_loan.amount, v_left);
    v_left := v_left - v_back;
    if v_back = v_loan.amount then
      delete from credit_loans
      where id = v_loan.id;
    else
      update credit_loans
      set amount = amount - v_back
      where id = v_loan.id;
    end if;

    v_paid := least(v_back, v_owed);
    v_owed := v_owed - v_paid;
    if v_loan.bucket_id is not null then
      update credit_buckets
      set remaining = remaining + v_back - v_paid,
          amount = greatest(amount, remaining + v_back - v_paid)
      where id = v_loan.bucket_id
      returning * into v_bucket;

      perform pay_debts(v_bucket, v_paid);
    end if;
  end loop;

  amount := v_left;
  owed := v_owed;
end
$$;

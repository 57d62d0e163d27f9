-- internal: called by our functions, not by farebox_app.
--
-- pay_debts: what came in for a bucket has paid what was owed for refunds and disputes.
--
-- Promises  The oldest debts are now the bucket's to get back, up to so much; what was owed for something else
--           is nobody's.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function pay_debts(p_bucket credit_buckets, p_amount bigint)
returns void
language plpgsql
as $$
declare
  v_left bigint := p_amount;
  v_debt credit_loans;
begin
  for v_debt in
    select *
    from credit_loans
    where user_id = p_bucket.user_id
      and unit = p_bucket.unit
      and bucket_id is null
    order by id
  loop
    exit when v_left = 0;

    if v_debt.amount <= v_left then
      update credit_loans
      set bucket_id = p_bucket.id
      where id = v_debt.id;
    else
      update credit_loans
      set amount = amount - v_left
      where id = v_debt.id;

      insert into credit_loans (user_id, unit, payment_id, bucket_id, amount)
      values (v_debt.user_id, v_debt.unit, v_debt.payment_id, p_bucket.id, v_left);
    end if;

    v_left := v_left - least(v_debt.amount, v_left);
  end loop;
end
$$;

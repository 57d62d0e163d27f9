-- internal: called by our functions, not by farebox_app.
--
-- bring_back_expired: brings back what expired of a payment's credits, before they are taken with its money.
--
-- Promises  At most so many, in a row of the ledger of its own. So a refund comes to the same before they
--           expire and after it.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function bring_back_expired(
  p_bucket credit_buckets,
  p_amount bigint,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
declare
  v_amount bigint := (
    select least(p_amount, coalesce(-sum(delta), 0))
    from credit_transactions
    where payment_id = p_bucket.payment_id
      and kind = 'expiry');
  v_bucket credit_buckets := p_bucket;
begin
  if v_amount > 0 then
    v_bucket.amount := v_amount;
    v_bucket := fill_bucket(v_bucket, credits_owed(v_bucket.user_id, v_bucket.unit), p_now);
    perform post_to_ledger(
      v_bucket.user_id,
      v_bucket.unit,
      v_amount,
      'expiry',
      jsonb_build_object('source', bucket_source(v_bucket, 'expiry'), 'payment_id', v_bucket.payment_id),
      p_now);
  end if;
end
$$;

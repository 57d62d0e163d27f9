-- internal: called by our functions, not by farebox_app.
--
-- take_from_bucket: takes back what nobody spent of one bucket.
--
-- Promises  At most so much, in a row of the ledger of its own; what is not there is not taken. What a plan
--           takes back (`p_kind` `plan`), or what expires of its credits, it may give again: the amount
--           of its bucket is then what was spent of it.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function take_from_bucket(
  p_bucket credit_buckets,
  p_amount bigint,
  p_kind   text,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
declare
  v_taken bigint := least(p_amount, p_bucket.remaining);
begin
  if v_taken <= 0 then
    return;
  end if;

  update credit_buckets
  set remaining = remaining - v_taken,
      amount = amount - case when 'plan' in (p_kind, p_bucket.kind) then v_taken else 0 end
  where id = p_bucket.id;

  perform post_to_ledger(
    p_bucket.user_id,
    p_bucket.unit,
    -v_taken,
    p_kind,
    jsonb_build_object('source', bucket_source(p_bucket, p_kind), 'payment_id', p_bucket.payment_id),
    p_now);
end
$$;

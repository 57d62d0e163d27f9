-- take_from_grant: takes back what nobody spent of one bucket.
--
-- Promises  At most so much, in a row of the ledger of its own; what is not there is not taken. What a plan
--           takes back (`p_kind` `plan`), or what expires of its credits, it may give again: the amount
--           of its bucket is then what was spent of it.
-- Locks     The caller holds the account's row.

create or replace function take_from_grant(
  p_grant credit_grants,
  p_amount bigint,
  p_kind   text,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
declare
  v_taken bigint := least(p_amount, p_grant.remaining);
begin
  if v_taken <= 0 then
    return;
  end if;

  update credit_grants
  set remaining = remaining - v_taken,
      amount = amount - case when 'plan' in (p_kind, p_grant.kind) then v_taken else 0 end
  where id = p_grant.id;

  perform post_to_ledger(
    p_grant.user_id,
    p_grant.unit,
    -v_taken,
    p_kind,
    jsonb_build_object('source', grant_source(p_grant, p_kind), 'payment_id', p_grant.payment_id),
    p_now);
end
$$;

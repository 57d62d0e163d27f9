-- grant_credits: credits that a trusted server or an operator gives, or puts right by hand.
--
-- Promises  Once per idempotency key, for good. A grant (`p_kind` `grant`) is a bucket of its own, with its
--           expiry and priority; an adjustment (`adjust`) adds credits that do not expire, or takes some,
--           below zero if need be. Written into the audit trail. A unit of nobody's, or a balance that
--           becomes too large, is refused with FB005; another kind, or an amount that is not above zero
--           (an adjustment: zero), with 22023.
-- Locks     The user's row (lock_and_refresh_user).
-- Races     Calls for one user take turns. Of two with one key the second waits, and finds what the
--           first posted.

create or replace function grant_credits(
  p_user_id     permitted_user,
  p_kind        text,
  p_unit        text,
  p_amount      bigint,
  p_expires_at  timestamptz,
  p_priority    integer,
  p_about       jsonb,
  p_actor       text,
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
  v_grant credit_grants;
  v_row    credit_transactions;
begin
  if (p_kind = 'grant' and p_amount > 0 or p_kind = 'adjust' and p_amount <> 0) is not true then
    perform refuse_amount(p_amount);
  end if;

  perform lock_and_refresh_user(p_user_id, p_now);

  if p_key is not null then
    v_row := replayed_transaction(p_key, p_fingerprint);
    if v_row.id is not null then
      return credit_change(v_row);
    end if;
  end if;

  perform ensure_unit(p_user_id, p_unit);

  if p_amount > 0 then
    v_grant.user_id := p_user_id;
    v_grant.unit := p_unit;
    v_grant.kind := p_kind;
    v_grant.amount := p_amount;
    v_grant.priority := coalesce(p_priority, 50);
    v_grant.expires_at := p_expires_at;
    perform add_to_grant(v_grant, amount_owed(p_user_id, p_unit), p_now);
  else
    perform consume_grants(p_user_id, p_unit, -p_amount, null);
  end if;

  v_row := post_to_ledger(
    p_user_id, p_unit, p_amount, p_kind,
    coalesce(p_about, '{}') || jsonb_build_object('source', p_key, 'fingerprint', p_fingerprint), p_now);

  insert into audit_log (occurred_at, actor, action, user_id, details)
  values (
    p_now, p_actor, format('credits.%s', p_kind), p_user_id,
    jsonb_build_object(
      'unit', p_unit,
      'amount', p_amount,
      'expires_at', p_expires_at,
      'transaction', v_row.id,
      'reason', p_about ->> 'reason'));

  return credit_change(v_row);
end
$$;

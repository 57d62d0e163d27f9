-- grant_credits: Grants credits, or adjusts a balance, for a trusted server or an operator.
--
-- Promises  An idempotency key counts once and never expires. A grant (`p_kind` `grant`) has its own expiry
--           and priority. An adjustment (`adjust`) adds credits that do not expire, or takes credits, even
--           below zero. Both are written to the audit log. An unknown unit, and a balance that becomes too
--           large, are refused with FB005. Another kind, a grant that is not positive, and an adjustment of
--           zero are refused with 22023.
-- Locks     The actor (check_actor), the account, then the user's wallets.
-- Races     Calls for one user take turns. Of two with one key, the second finds the first's entry. If a
--           spend posts the key at the same moment, the call fails with 23505 on credit_transactions_source
--           and changes nothing: its caller repeats it.

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
  v_entry credit_transactions;
begin
  if (p_kind = 'grant' and p_amount > 0 or p_kind = 'adjust' and p_amount <> 0) is not true then
    perform refuse_amount(p_amount);
  end if;

  perform check_actor(p_about ->> 'actor_id');
  perform lock_and_refresh_user(p_user_id, p_now);

  if p_key is not null then
    v_entry := replayed_entry(p_key, p_fingerprint);
    if v_entry.seq is not null then
      return credit_change(v_entry);
    end if;
  end if;

  perform ensure_unit(p_user_id, p_unit);
  perform open_wallets(p_user_id);

  if p_amount > 0 then
    v_grant.user_id := p_user_id;
    v_grant.unit := p_unit;
    v_grant.kind := p_kind;
    v_grant.amount := p_amount;
    v_grant.priority := coalesce(p_priority, 50);
    v_grant.expires_at := coalesce(p_expires_at, 'infinity');
    perform add_to_grant(v_grant, amount_owed(p_user_id, p_unit), p_now);
  else
    perform consume_grants(p_user_id, p_unit, -p_amount, null);
  end if;

  v_entry := post_to_ledger(
    p_user_id, p_unit, p_amount, p_kind,
    coalesce(p_about, '{}') || jsonb_build_object('source', p_key, 'fingerprint', p_fingerprint), p_now);
  perform close_wallets(p_user_id);

  insert into audit_log (occurred_at, actor, action, user_id, details)
  values (
    p_now, p_actor, format('credits.%s', p_kind), p_user_id,
    jsonb_build_object(
      'unit', p_unit,
      'amount', p_amount,
      'expires_at', p_expires_at,
      'transaction', p_unit || ':' || v_entry.seq,
      'reason', p_about ->> 'reason'));

  return credit_change(v_entry);
end
$$;

-- post_to_ledger: Changes a balance, also below zero, and writes the ledger entry.
--
-- Takes     In `p_about`: `source`, `session_id`, `payment_id`, `reason`, `metadata`, `fingerprint`,
--           `actor_id`; each may be absent.
-- Promises  The entry has the wallet's next number and the balance after it. The wallet's version grows, so
--           that every copy of it is known to be old. A source that was posted before fails with 23505. A
--           purchase, a grant, an adjustment or an opening balance that takes the balance beyond 10^15 is
--           refused with FB005. So plan credits and refunds cannot take it to 2^53, up to which every client
--           reads numbers exactly. The caller changes the grants first. A webhook with the new entitlement is
--           queued for the app. Returns the entry.
-- Locks     The wallet, then the queue of webhooks. The caller holds the account and has opened the wallets.

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
  v_wallet record;
  v_entry  credit_transactions;
begin
  update wallets
  set seq = seq + 1,
      version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint),
      balance = balance + p_delta,
      topped_up = case when p_delta > 0 then greatest(balance + p_delta, 0) else topped_up end
  where user_id = p_user_id
    and unit = p_unit
  returning
    seq,
    balance,
    (
      select has_app_webhooks
      from catalog_state
    )
  into v_wallet;

  if not found then
    insert into wallets (user_id, unit, seq, version, due_at, balance, topped_up)
    values (
      p_user_id, p_unit, 1, (extract(epoch from p_now) * 1000)::bigint, '-infinity', p_delta,
      greatest(p_delta, 0))
    returning
      seq,
      balance,
      (
        select has_app_webhooks
        from catalog_state
      )
    into v_wallet;
  end if;

  if p_kind in ('grant', 'adjust', 'opening', 'purchase') and abs(v_wallet.balance) > 1000000000000000 then
    perform refuse_input('balance_too_large');
  end if;

  insert into credit_transactions (
    user_id, unit, seq, delta, balance_after, kind, source, fingerprint, stripe_session_id, payment_id,
    reason, metadata, created_at, actor_id)
  values (
    p_user_id, p_unit, v_wallet.seq, p_delta, v_wallet.balance, p_kind, p_about ->> 'source',
    p_about ->> 'fingerprint', p_about ->> 'session_id', p_about ->> 'payment_id', p_about ->> 'reason',
    p_about -> 'metadata', p_now, p_about ->> 'actor_id')
  returning * into v_entry;

  if v_wallet.has_app_webhooks then
    perform enqueue_app_webhook(p_user_id, 'entitlement.updated', null, null, p_now);
  end if;

  return v_entry;
end
$$;

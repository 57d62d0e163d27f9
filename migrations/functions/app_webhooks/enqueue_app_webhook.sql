-- enqueue_app_webhook: Queues a webhook to the app's server.
--
-- Promises  Nothing if the app gets no webhooks (lock_app_webhook_queue). One message per user and key. One
--           `entitlement.updated` waits at a time: it has no payload until claim_app_webhooks reads the
--           entitlement, under the lock of the queue, so it reports every change before that.
-- Locks     The queue, until the transaction ends. The caller holds the account.

create or replace function enqueue_app_webhook(
  p_user_id text,
  p_type    text,
  p_key     text,
  p_payload jsonb,
  p_now     timestamptz
)
returns void
language plpgsql
as $$
begin
  if not lock_app_webhook_queue(p_user_id, p_now) then
    return;
  end if;

  insert into app_webhooks (user_id, type, key, payload, occurred_at, retry_until)
  values (p_user_id, p_type, p_key, p_payload, p_now, p_now + interval '3 days')
  on conflict do nothing;
end
$$;

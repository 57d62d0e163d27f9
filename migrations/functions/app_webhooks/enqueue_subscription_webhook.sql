-- enqueue_subscription_webhook: Queues a webhook to the app's server about a change of a subscription.
--
-- Takes     In `p_before` the subscription_audit before the change.
-- Promises  Reads the details only if the app gets webhooks.
-- Locks     As enqueue_app_webhook.

create or replace function enqueue_subscription_webhook(
  p_row    subscriptions,
  p_before jsonb,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
begin
  if not lock_app_webhook_queue(p_row.user_id, p_now) then
    return;
  end if;

  perform enqueue_app_webhook(
    p_row.user_id,
    case
      when p_row.status in ('canceled', 'incomplete_expired')
        and (p_before ->> 'status' in ('canceled', 'incomplete_expired')) is not true
      then 'subscription.deleted'
      when p_before is null then 'subscription.created'
      else 'subscription.updated'
    end,
    null,
    -- The reason is the customer's own text.
    subscription_details(p_row, p_now) - 'cancellation_reason',
    p_now);
end
$$;

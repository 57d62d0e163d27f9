-- grace_start: since when a subscription's payment is late.
--
-- Promises  Since the first of its invoices that is still unpaid; since the start of its period, if none is
--           known. Follows from facts, whatever order they came in.

create or replace function grace_start(p_subscription subscriptions)
returns timestamptz
language plpgsql
stable
as $$
begin
  return coalesce(
    (
      select min(i.created_at)
      from invoices i
      where i.subscription_id = p_subscription.id
        and i.status = 'open'
        and i.attempt_count > 0
    ),
    p_subscription.current_period_start,
    p_subscription.created_at);
end
$$;

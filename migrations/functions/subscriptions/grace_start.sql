-- grace_start: Returns since when a subscription's payment is late.
--
-- Promises  The creation of its first invoice that is open after a failed attempt; without one, the start of
--           its period. Event order does not matter.

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

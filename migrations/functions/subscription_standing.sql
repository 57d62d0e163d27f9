-- internal: called by our functions, not by farebox_app.
--
-- subscription_standing: what the audit trail says of a subscription.
--
-- Promises  Null for none. Equal before and after whatever changes nothing that analytics look at.
-- Locks     None.
-- Races     Who changes a subscription holds its customer's row.

create or replace function subscription_standing(p_subscription_id text)
returns jsonb
language sql
stable
security definer
set search_path from current
as $$
  select jsonb_build_object(
    'plan', s.plan,
    'plan_version', s.plan_version,
    'interval', s.interval,
    'quantity', s.quantity,
    'status', s.status,
    'cancels', s.cancel_at_period_end or s.cancel_at is not null,
    'mrr_minor', monthly_revenue(s))
  from subscriptions s
  where s.id = p_subscription_id
$$;

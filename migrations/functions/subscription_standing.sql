-- internal: called by our functions, not by farebox_app.
--
-- subscription_standing: what the audit trail says of a subscription.
--
-- Promises  Null for none. Equal before and after whatever changes nothing that analytics look at.
-- Locks     None.
-- Races     None.

create or replace function subscription_standing(p_row subscriptions)
returns jsonb
language plpgsql
immutable
as $$
begin
  return case when p_row.id is not null then jsonb_build_object(
    'plan', p_row.plan,
    'plan_version', p_row.plan_version,
    'interval', p_row.interval,
    'quantity', p_row.quantity,
    'status', p_row.status,
    'cancels', p_row.cancel_at_period_end or p_row.cancel_at is not null,
    'mrr_minor', monthly_revenue(p_row)) end;
end
$$;

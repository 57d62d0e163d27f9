-- internal: called by our functions, not by farebox_app.
--
-- compared_fields: what of a subscription must be the same here and at Stripe, as people read it.
--
-- Promises  Fields that no user would notice are left out. All null for no row.
-- Locks     None.
-- Races     None.

create or replace function compared_fields(p_row subscriptions)
returns jsonb
language sql
stable
as $$
  select jsonb_build_object(
    'status', p_row.status,
    'price', p_row.stripe_price_id,
    'quantity', p_row.quantity,
    'cancelAtPeriodEnd', p_row.cancel_at_period_end,
    'cancelAt', to_char(p_row.cancel_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'periodEnd', to_char(p_row.current_period_end at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'trialEnd', to_char(p_row.trial_end at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
$$;

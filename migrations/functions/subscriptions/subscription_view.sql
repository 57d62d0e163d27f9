-- subscription_view: Returns a user's subscription in the form that the billing page needs.
--
-- Promises  Has the live subscription, otherwise the latest, otherwise null. The user's plan may have another
--           source: `plan` is the one in effect, `granted` a comp. Runs with its caller's rights.

create or replace function subscription_view(p_user_id permitted_user, p_now call_time)
returns jsonb
language sql
stable
set search_path from current
as $$
  with subscription as (
    select s.*,
           coalesce(v.name, s.plan) as plan_name,
           (
             select jsonb_build_object(
               'plan', pending.plan,
               'interval', pending.interval,
               'quantity', coalesce(s.pending_quantity, 1),
               'expires_at', s.pending_until)
             from resolve_price(s.pending_price_id, null, null, null, p_now) pending
             where s.pending_until > p_now
           ) as pending_change
    from subscriptions s
    left join pricing_plan_versions v
      on v.plan = s.plan
      and v.version = s.plan_version
    where s.user_id = p_user_id
    order by
      s.status in ('active', 'trialing') desc,
      s.status = 'past_due' desc,
      s.status in ('unpaid', 'paused', 'incomplete') desc,
      case when s.status in ('active', 'trialing', 'past_due') then v.rank end desc nulls last,
      s.created_at desc
    limit 1
  ),
  effective as (
    select due.plan, v.name, due.source
    from user_plan(p_user_id) due
    join pricing_plan_versions v using (plan, version)
  )
  select jsonb_build_object(
    'user_id', p_user_id,
    'plan', e.plan,
    'plan_name', e.name,
    'source', e.source,
    'granted', (
      select jsonb_build_object('plan', g.plan, 'starts_at', g.starts_at, 'ends_at', g.ends_at)
      from plan_comps g
      where g.user_id = p_user_id
        and g.ended_at is null
        and (g.ends_at is null or g.ends_at > p_now)),
    'status', coalesce(s.status, 'none'),
    'subscription', case when s.id is not null then jsonb_build_object(
      'id', s.id,
      'plan', s.plan,
      'plan_name', s.plan_name,
      'plan_version', s.plan_version,
      'interval', s.interval,
      'quantity', s.quantity,
      'currency', s.currency,
      'amount_minor', s.amount_minor,
      'trial_end', s.trial_end,
      'current_period_start', s.current_period_start,
      'current_period_end', s.current_period_end,
      'cancel_at_period_end', s.cancel_at_period_end,
      'cancel_at', s.cancel_at,
      'canceled_at', s.canceled_at,
      'ended_at', s.ended_at,
      -- Stripe keeps the reason of a cancellation that was undone.
      'cancellation_reason', case
        when s.cancel_at_period_end or coalesce(s.cancel_at, s.canceled_at, s.ended_at) is not null
        then s.cancellation_reason
      end,
      'scheduled_change', case
        when s.scheduled_by = s.stripe_schedule_id and s.scheduled_at > p_now
        then jsonb_build_object(
          'plan', s.scheduled_plan,
          'interval', s.scheduled_interval,
          'quantity', s.scheduled_quantity,
          'at', s.scheduled_at)
      end,
      'pending_change', s.pending_change,
      'created_at', s.created_at) end)
  from (select 1) one
  left join subscription s on true
  left join effective e on true
$$;

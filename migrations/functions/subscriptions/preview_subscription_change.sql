-- preview_subscription_change: Decides how a change of a user's subscription would be made at Stripe.
--
-- Takes     `p_change` as begin_subscription_change does, with the action `change`.
-- Promises  Changes nothing. Refuses (FB005) what begin_subscription_change refuses. Returns the `steps`, and
--           the terms of the plan `before` and `after` the change: {plan, plan_name, interval, quantity,
--           features}.
-- Races     Takes no lock: begin_subscription_change decides again.

create or replace function preview_subscription_change(
  p_user_id permitted_user,
  p_change  jsonb,
  p_now     call_time
)
returns jsonb
language plpgsql
stable
security definer
set search_path from current
as $$
declare
  v_steps jsonb := subscription_steps(p_user_id, p_change, p_now);
begin
  return (
    select jsonb_build_object(
      'steps', v_steps,
      'before', terms_of_plan(s.plan, s.plan_version, s.interval, s.quantity),
      'after', terms_of_plan(
        v_steps ->> 'plan',
        (v_steps ->> 'plan_version')::integer,
        v_steps ->> 'interval',
        (v_steps ->> 'quantity')::bigint))
    from subscriptions s
    where s.id = v_steps ->> 'subscription');
end
$$;

-- terms_of_plan: Returns what a plan version gives, for a comparison with another.
--
-- Promises  `features` as plan_features returns them. A plan that is not in the catalog has none.

create or replace function terms_of_plan(
  p_plan     text,
  p_version  integer,
  p_interval text,
  p_quantity bigint
)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'plan', p_plan,
    'plan_name', (
      select name
      from pricing_plan_versions
      where plan = p_plan
        and version = p_version),
    'interval', p_interval,
    'quantity', p_quantity,
    'features', coalesce(plan_features(p_plan, p_version), '{}'));
end
$$;

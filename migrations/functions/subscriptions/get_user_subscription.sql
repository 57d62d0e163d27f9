-- get_user_subscription: Returns a user's plan and subscription with their usage, for SQL.
--
-- Promises  One row, also without a subscription; none for an unknown user. `usage` has every metered feature
--           with its usage in the current period and its limit, null for none. Runs with its caller's rights.

create or replace function get_user_subscription(p_user_id permitted_user)
returns table (
  user_id              text,
  subscription_id      text,
  tier                 text,
  status               text,
  "interval"           text,
  trial_end            timestamptz,
  current_period_start timestamptz,
  current_period_end   timestamptz,
  cancel_at_period_end boolean,
  usage                jsonb
)
language sql
stable
set search_path from current
as $$
  select
    e.user_id,
    s.id,
    e.plan,
    e.status,
    s.interval,
    s.trial_end,
    s.current_period_start,
    s.current_period_end,
    coalesce(s.cancel_at_period_end, false),
    (
      select coalesce(
        jsonb_object_agg(usage_type, jsonb_build_object('used', used, 'limit', quota)),
        '{}')
      from current_usage u
      where u.user_id = e.user_id
    )
  from entitlements e
  left join subscriptions s on s.id = e.subscription_id
  where e.user_id = p_user_id
$$;

-- compare_subscriptions: Compares subscriptions of Stripe with the stored ones.
--
-- Takes     A list of subscription facts, which were true at `p_at`.
-- Promises  Changes nothing. Returns
--             `drifted`  the subscriptions that differ, each with the fields that differ;
--             `foreign`  the number with neither a user nor a price of the catalog, or of an erased user;
--             `unnamed`  the ids of live ones at a price of the catalog whose user nothing names.
--           A subscription that was observed after `p_at`, or has ended on both sides, is not compared.

create or replace function compare_subscriptions(p_facts jsonb, p_at call_time)
returns jsonb
language sql
stable
security definer
set search_path from current
-- JIT compilation would take a thousand times as long as the query.
set jit to off
as $$
  select require_service();

  with given as (
    select
      theirs.id,
      named.user_id,
      erased.is_erased or named.user_id is null and sold.plan is null as is_foreign,
      not erased.is_erased
        and named.user_id is null
        and sold.plan is not null
        and theirs.status in ('active', 'trialing', 'past_due') as is_unnamed,
      ours.observed_at > p_at
        or ours.status in ('canceled', 'incomplete_expired')
          and theirs.status in ('canceled', 'incomplete_expired') as is_settled,
      compared_fields(ours) || jsonb_build_object(
        'userId', ours.user_id,
        'plan', ours.plan) as ours,
      compared_fields(theirs) || jsonb_build_object(
        'userId', named.user_id,
        'plan', case
          when ours.stripe_price_id = theirs.stripe_price_id then coalesce(ours.plan, sold.plan)
          else sold.plan
        end) as theirs
    from jsonb_array_elements(p_facts) given (fact)
    cross join lateral subscription_from_fact(plan_item(given.fact)) theirs
    left join subscriptions ours on ours.id = theirs.id
    left join stripe_customers c on c.id = theirs.customer_id
    cross join lateral (
      select coalesce(
        ours.user_id,
        c.user_id,
        case when length(given.fact ->> 'user_id') between 1 and 255 then given.fact ->> 'user_id' end
      ) as user_id
    ) named
    cross join lateral (
      select is_erased_customer(theirs.customer_id) or is_erased(named.user_id) as is_erased
    ) erased
    left join lateral resolve_price(
      theirs.stripe_price_id,
      theirs.stripe_product_id,
      case when ours.id is null then given.fact ->> 'plan' end,
      case when ours.id is null then (given.fact ->> 'plan_version')::integer end,
      p_at) sold on true
  ),
  differences as (
    select t.id, t.user_id, jsonb_agg(
      jsonb_build_object('field', o.key, 'ours', o.value, 'stripes', t.theirs -> o.key)
      order by o.key) as fields
    from given t
    cross join lateral jsonb_each(t.ours) o
    where not t.is_foreign
      and not coalesce(t.is_settled, false)
      and o.value is distinct from t.theirs -> o.key
    group by t.id, t.user_id
  )
  select jsonb_build_object(
    'foreign', (
      select count(*)
      from given
      where is_foreign),
    'unnamed', (
      select coalesce(jsonb_agg(id order by id), '[]')
      from given
      where is_unnamed),
    'drifted', (
      select coalesce(
        jsonb_agg(jsonb_build_object('id', id, 'userId', user_id, 'fields', fields) order by id),
        '[]')
      from differences))
$$;

-- compared_fields: Returns the fields of a subscription that reconciliation compares, in readable form.
--
-- Promises  Leaves out fields that no user would notice. All null for a null row.

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

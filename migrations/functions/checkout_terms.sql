-- internal: called by our functions, not by farebox_app.
--
-- checkout_terms: what a user would buy, as it is sold now, or why they may not.
--
-- Promises  Answers the terms of the session, or refuses (FB005). A subscription is sold to who has
--           none that lives, with a trial once per user.
-- Locks     None of its own: the caller holds the user's row, without which two calls could both find
--           that there is no subscription.
-- Races     A catalog published meanwhile: the terms are those of one version, whole.

create or replace function checkout_terms(p_user_id text, p_request jsonb, p_now timestamptz)
returns jsonb
language plpgsql
stable
security definer
set search_path from current
as $$
declare
  v_quantity bigint := coalesce((p_request ->> 'quantity')::bigint, 1);
  v_currency text := p_request ->> 'currency';
  v_live     text;
  v_plan     record;
  v_pack     record;
begin
  if p_request ->> 'mode' = 'payment' then
    select p.pack, p.version, p.stripe_price_id, p.currency, p.currency_amounts
    into v_pack
    from current_packs c
    join credit_pack_versions p using (pack, version)
    where c.pack = p_request ->> 'pack';

    if v_pack.stripe_price_id is null then
      perform refuse('unknown_pack');
    end if;
    if v_currency <> v_pack.currency and not v_pack.currency_amounts ? v_currency then
      perform refuse('unknown_currency');
    end if;

    return p_request || jsonb_build_object(
      'price', v_pack.stripe_price_id,
      'pack_version', v_pack.version,
      'quantity', v_quantity);
  end if;

  select status
  into v_live
  from subscriptions
  where user_id = p_user_id
    and status in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete')
  limit 1;

  if v_live is not null then
    perform refuse('already_subscribed ' || v_live);
  end if;

  select v.plan, v.version, v.trial_days, p.stripe_price_id, p.currency, p.currency_amounts,
         p.per_seat
  into v_plan
  from current_plans c
  join pricing_plan_versions v using (plan, version)
  left join pricing_plan_prices p
    on p.plan = v.plan
    and p.version = v.version
    and p.interval = p_request ->> 'interval'
  where c.plan = p_request ->> 'plan'
    and v.is_listed
    and exists (
      select 1
      from pricing_plan_prices any_price
      where any_price.plan = v.plan
        and any_price.version = v.version);

  if v_plan.plan is null then
    perform refuse('unknown_plan');
  end if;
  if v_plan.stripe_price_id is null then
    perform refuse('unknown_interval');
  end if;
  if v_currency <> v_plan.currency and not v_plan.currency_amounts ? v_currency then
    perform refuse('unknown_currency');
  end if;
  if v_quantity <> 1 and not v_plan.per_seat then
    perform refuse('no_seats');
  end if;

  return p_request || jsonb_build_object(
    'price', v_plan.stripe_price_id,
    'plan_version', v_plan.version,
    'quantity', v_quantity,
    'trial_days', case when has_had_trial(p_user_id) then 0 else v_plan.trial_days end);
end
$$;

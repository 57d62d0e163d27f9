-- begin_subscription_change: Decides how to make a change at Stripe that a user requests, and claims it.
--
-- Takes     `p_change` has an `action`: change (to `plan`, `interval`, `quantity`), cancel (`now` or not,
--           with a `reason`), resume, or confirm (the preview `preview_id`).
-- Promises  Returns one of
--             {answer}     the first answer to this idempotency key;
--             {unchanged}  if there is nothing to do;
--             {claimed}    the request, leased to the caller, with its `steps`: all values to send to Stripe.
--           A retry gets the steps of the first call. A change that is not possible is refused with FB005,
--           and so is a preview that no longer holds. A preview is confirmed once; an abandoned confirmation
--           is continued until the preview expires, also without its key.
-- Locks     The account (ensure_account).
-- Races     Another change or checkout of the user that is in progress raises FB003. Of two confirmations of
--           a preview, the second is refused.

create or replace function begin_subscription_change(
  p_user_id         permitted_user,
  p_change          jsonb,
  p_idempotency_key text,
  p_fingerprint     text,
  p_now             call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_preview_id uuid := p_change ->> 'preview_id';
  v_request    stripe_requests;
  v_steps      jsonb;
begin
  perform ensure_account(p_user_id, p_now);

  v_request := claim_stripe_request(
    p_user_id, 'subscription', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  if v_request.id is not null and not may_be_continued(v_request, p_now) then
    v_request := null;
  end if;

  if v_request.id is null and v_preview_id is not null then
    -- Its lease has ended, or claim_stripe_request would have refused.
    update stripe_requests
    set idempotency_key = coalesce(p_idempotency_key, idempotency_key),
        fingerprint = coalesce(p_fingerprint, fingerprint),
        leased_until = p_now + stripe_lease()
    where preview_id = v_preview_id
      and user_id = p_user_id
      and answered_at is null
      and may_be_continued(stripe_requests, p_now)
    returning * into v_request;
  end if;

  if v_request.id is null then
    v_steps := case
      when v_preview_id is null then subscription_steps(p_user_id, p_change, p_now)
      else previewed_steps(p_user_id, v_preview_id, p_now)
    end;
    if v_steps ->> 'do' = 'none' then
      return jsonb_build_object('unchanged', subscription_view(p_user_id, p_now));
    end if;

    -- This change overwrites whatever an abandoned change has set at Stripe. The session of an abandoned
    -- checkout was never returned to the user, and expires.
    delete from stripe_requests
    where user_id = p_user_id
      and kind in ('checkout', 'subscription')
      and answered_at is null;

    insert into stripe_requests (
      user_id, kind, parameters, idempotency_key, fingerprint, preview_id, created_at, leased_until)
    values (
      p_user_id, 'subscription', v_steps, p_idempotency_key, p_fingerprint, v_preview_id, p_now,
      p_now + stripe_lease())
    returning * into v_request;
  end if;

  return jsonb_build_object('claimed', jsonb_build_object(
    'request', v_request.id,
    'stripe_key', v_request.stripe_key,
    'steps', v_request.parameters));
end
$$;

-- may_be_continued: Returns whether an abandoned request for a change may still be sent as it was decided.
--
-- Promises  A confirmation may, until its preview expires, and a free change of a trial, until the trial
--           ends. Any other change may: Stripe prices it when it is sent.

create or replace function may_be_continued(p_request stripe_requests, p_now timestamptz)
returns boolean
language plpgsql
stable
as $$
begin
  if p_request.preview_id is not null then
    return exists (
      select 1
      from subscription_previews
      where id = p_request.preview_id
        and expires_at > p_now);
  end if;

  return p_request.parameters ->> 'do' <> 'replace' or exists (
    select 1
    from subscriptions
    where id = p_request.parameters ->> 'subscription'
      and trial_end > p_now);
end
$$;

-- previewed_steps: Returns what to request from Stripe to confirm a preview.
--
-- Promises  The steps of the preview, with `preview`: its proration date and its price. Refuses (FB005) a
--           preview that the user does not have, that has expired or was confirmed before, or whose change
--           would now take other steps, because the subscription or the catalog has changed.
-- Locks     The caller holds the account.

create or replace function previewed_steps(p_user_id text, p_preview_id uuid, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
declare
  v_preview      subscription_previews;
  v_was_sent     boolean;
  v_is_abandoned boolean;
begin
  select *
  into v_preview
  from subscription_previews
  where id = p_preview_id
    and user_id = p_user_id;

  if v_preview.id is null then
    perform refuse('preview_not_found');
  end if;

  select count(*) > 0, coalesce(bool_or(answered_at is null), false)
  into v_was_sent, v_is_abandoned
  from stripe_requests
  where preview_id = p_preview_id;

  -- An abandoned confirmation may have been carried out.
  if v_is_abandoned and subscription_steps(p_user_id, v_preview.change, p_now) ->> 'do' = 'none' then
    return '{"do": "none"}';
  end if;

  if v_preview.expires_at <= p_now
     or v_was_sent
     or subscription_steps(p_user_id, v_preview.change, p_now) is distinct from v_preview.steps
  then
    perform refuse('preview_outdated');
  end if;

  return v_preview.steps || jsonb_build_object('preview', jsonb_build_object(
    'proration_date', extract(epoch from v_preview.proration_date)::bigint,
    'total', v_preview.total_minor,
    'amount_due', v_preview.amount_due_minor));
end
$$;

-- subscription_steps: Returns what to request from Stripe for a change of a user's subscription.
--
-- Promises  Changes the subscription that decides the user's plan. Refuses (FB005) a change that is not
--           possible, or returns {do, subscription, ...}. `do` is one of
--             `upgrade`       now, with a charge;
--             `downgrade`     at the end of the period;
--             `replace`       now, free of charge: during a trial;
--             `cancel_now`    now;
--             `cancel_later`  at the end of the period;
--             `keep`          undo a cancellation or a scheduled change;
--             `unpause`       resume a paused subscription;
--             `none`          the subscription is already as requested.
--           The steps of a change contain everything of the subscription and of the catalog that decides its
--           price: a preview with the same steps still holds.
-- Locks     The caller holds the account.
-- Races     A concurrent event that changes the entitlement waits for the account.

create or replace function subscription_steps(p_user_id text, p_change jsonb, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
declare
  v_live   subscriptions;
  v_kept   record;
  v_to     record;
  v_common jsonb;
  v_rank   integer;
  v_direction    text;
begin
  select *
  into v_live
  from subscriptions
  where user_id = p_user_id
    and status in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete')
  order by
    status in ('active', 'trialing') desc,
    status = 'past_due' desc,
    (
      select v.rank
      from pricing_plan_versions v
      where v.plan = subscriptions.plan
        and v.version = subscriptions.plan_version
    ) desc nulls last,
    created_at desc
  limit 1;

  if v_live.id is null then
    perform refuse('no_subscription');
  end if;

  v_common := jsonb_build_object(
    'subscription', v_live.id,
    'customer', v_live.customer_id,
    'item', v_live.stripe_item_id,
    'schedule', v_live.stripe_schedule_id,
    'is_pending', v_live.pending_until > p_now,
    'cancels_on_a_date', v_live.cancel_at is not null and not v_live.cancel_at_period_end);

  if p_change ->> 'action' = 'cancel' then
    return v_common || jsonb_build_object(
      'do', case
        -- A subscription that was never paid has no period whose end it could wait for.
        when (p_change ->> 'now')::boolean or v_live.status = 'incomplete' then 'cancel_now'
        else 'cancel_later'
      end,
      'reason', p_change ->> 'reason');
  end if;

  if p_change ->> 'action' = 'resume' then
    if v_live.status = 'paused' then
      return v_common || jsonb_build_object('do', 'unpause');
    end if;
    if not v_live.cancel_at_period_end and v_live.cancel_at is null
       and v_live.stripe_schedule_id is null
    then
      perform refuse('nothing_to_resume');
    end if;
    return v_common || jsonb_build_object('do', 'keep');
  end if;

  if v_live.status not in ('active', 'trialing') then
    perform refuse(
      'not_in_good_standing', jsonb_build_object('status', v_live.status));
  end if;
  if v_live.cancel_at_period_end or v_live.cancel_at is not null then
    perform refuse('cancellation_pending');
  end if;

  -- A subscriber who keeps plan and interval keeps the version that was bought, not the current one.
  select
    p.plan,
    p.version,
    v.rank,
    -- As in plan_on_sale: v_to has one type, or a second call in a session fails with 42804.
    p.interval::text as interval,
    p.stripe_price_id as price_id,
    p.per_seat,
    p.currency_amounts || jsonb_build_object(p.currency, p.amount_minor) as amounts
  into v_kept
  from pricing_plan_prices p
  join pricing_plan_versions v using (plan, version)
  where p.plan = v_live.plan
    and p.version = v_live.plan_version
    and p.interval = v_live.interval
    and p.plan = coalesce(p_change ->> 'plan', p.plan)
    and p.interval = coalesce(p_change ->> 'interval', p.interval);

  if v_kept.plan is null then
    select *
    into v_to
    from plan_on_sale(
      coalesce(p_change ->> 'plan', v_live.plan),
      coalesce(p_change ->> 'interval', v_live.interval),
      v_live.currency,
      coalesce((p_change ->> 'quantity')::bigint, 1));
  else
    if (p_change ->> 'quantity')::bigint <> 1 and not v_kept.per_seat then
      perform refuse_input('no_seats');
    end if;
    perform check_charge_limit(
      v_kept.amounts, v_live.currency, (p_change ->> 'quantity')::bigint);
    v_to := v_kept;
  end if;

  select rank
  into v_rank
  from pricing_plan_versions
  where plan = v_live.plan
    and version = v_live.plan_version;

  v_direction := change_direction(
    v_to.rank - coalesce(v_rank, 0),
    interval_days(v_to.interval) - interval_days(v_live.interval),
    coalesce((p_change ->> 'quantity')::bigint, v_live.quantity) - v_live.quantity);

  if v_direction = 'upgrade' and v_live.stripe_schedule_id is not null then
    perform refuse('change_planned');
  end if;

  return v_common || jsonb_build_object(
    'do', case
      when v_direction = 'none' and v_live.stripe_schedule_id is null then 'none'
      when v_direction = 'none' then 'keep'
      -- The trial may have ended before an event reported it. Then Stripe decides what is owed.
      when v_live.status = 'trialing' and v_live.trial_end > p_now then 'replace'
      else v_direction
    end,
    'current_price', v_live.stripe_price_id,
    'current_quantity', v_live.quantity,
    'price', v_to.price_id,
    'quantity', case
      when v_to.per_seat then coalesce((p_change ->> 'quantity')::bigint, v_live.quantity)
      else 1
    end,
    'plan', v_to.plan,
    'plan_version', v_to.version,
    'interval', v_to.interval,
    'period_start', extract(epoch from v_live.current_period_start)::bigint,
    'period_end', extract(epoch from v_live.current_period_end)::bigint);
end
$$;

-- change_direction: Returns whether a change of plan, interval or seats is an upgrade, a downgrade or none.
--
-- Promises  The rank of the plan decides first, then the interval (a longer one is an upgrade), then the
--           seats. An upgrade is paid for now. A downgrade waits for the end of the paid period.

create or replace function change_direction(
  p_by_rank     integer,
  p_by_days     integer,
  p_by_quantity bigint
)
returns text
language sql
immutable
as $$
  select case sign(coalesce(nullif(p_by_rank, 0), nullif(p_by_days, 0), p_by_quantity))
    when 1 then 'upgrade'
    when -1 then 'downgrade'
    else 'none'
  end
$$;

-- interval_days: Returns the approximate days of a billing interval, only to compare it with another.
--
-- Promises  Null for an unknown interval.

create or replace function interval_days(p_interval text)
returns integer
language sql
immutable
as $$
  select case p_interval
    when 'weekly' then 7
    when 'monthly' then 30
    when 'quarterly' then 91
    when 'yearly' then 365
  end
$$;

-- begin_subscription_change: decides what a user's wish for their subscription asks of Stripe, and
-- writes it down.
--
-- Promises  `p_wish` holds an `action`: change (to `plan`, `interval`, `quantity`), cancel (`now` or
--           not, `reason`) or resume. What cannot be is refused with FB005; else the answer is {answer}
--           of this idempotency key, {unchanged} where there is nothing to do, or {claimed} with
--           everything that decides what is sent. A retry gets the steps of the first call.
-- Locks     The user's row (ensure_account).
-- Races     Another change or checkout of the user's that is under way: FB003.

create or replace function begin_subscription_change(
  p_user_id         permitted_user,
  p_wish            jsonb,
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
  v_request stripe_requests;
  v_steps   jsonb;
begin
  perform ensure_account(p_user_id, p_now);

  v_request := claim_stripe_request(
    p_user_id, 'subscription', p_idempotency_key, p_fingerprint, p_now);

  if v_request.answer is not null then
    return jsonb_build_object('answer', v_request.answer);
  end if;

  if v_request.id is null then
    v_steps := subscription_steps(p_user_id, p_wish, p_now);
    if v_steps ? 'unchanged' then
      return v_steps;
    end if;

    -- What was given up before sets what is set now: doing this instead leaves nothing of it. A
    -- session that was given up was shown to nobody, and expires.
    delete from stripe_requests
    where user_id = p_user_id
      and kind in ('checkout', 'subscription')
      and answered_at is null;

    insert into stripe_requests (
      user_id, kind, parameters, idempotency_key, fingerprint, created_at, leased_until)
    values (
      p_user_id, 'subscription', v_steps, p_idempotency_key, p_fingerprint, p_now,
      p_now + stripe_lease())
    returning * into v_request;
  end if;

  return jsonb_build_object('claimed', jsonb_build_object(
    'request', v_request.id,
    'stripe_key', v_request.stripe_key,
    'steps', v_request.parameters));
end
$$;

-- subscription_steps: what has to be asked of Stripe for a user's wish to come true.
--
-- Promises  It is about the subscription that counts. Refuses (FB005), or answers {unchanged} or {do,
--           subscription, ...}: `upgrade` (now, for its price), `downgrade` (when the period ends), `replace`
--           (now, for nothing: a trial), `cancel_now`, `cancel_later`, `keep` (take a cancellation or a
--           scheduled change back), `unpause`.
-- Locks     The caller holds the account's row.
-- Races     An event that is applied meanwhile waits for the user's row.

create or replace function subscription_steps(p_user_id text, p_wish jsonb, p_now timestamptz)
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
  v_way    text;
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

  if p_wish ->> 'action' = 'cancel' then
    return v_common || jsonb_build_object(
      'do', case
        -- One that was never paid has no period to wait for the end of.
        when (p_wish ->> 'now')::boolean or v_live.status = 'incomplete' then 'cancel_now'
        else 'cancel_later'
      end,
      'reason', p_wish ->> 'reason');
  end if;

  if p_wish ->> 'action' = 'resume' then
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

  -- Who keeps plan and interval keeps what was bought, whatever is sold now.
  select
    p.plan,
    p.version,
    v.rank,
    p.interval,
    p.stripe_price_id as price_id,
    p.per_seat,
    p.currency_amounts || jsonb_build_object(p.currency, p.amount_minor) as amounts
  into v_kept
  from pricing_plan_prices p
  join pricing_plan_versions v using (plan, version)
  where p.plan = v_live.plan
    and p.version = v_live.plan_version
    and p.interval = v_live.interval
    and p.plan = coalesce(p_wish ->> 'plan', p.plan)
    and p.interval = coalesce(p_wish ->> 'interval', p.interval);

  if v_kept.plan is null then
    select *
    into v_to
    from plan_on_sale(
      coalesce(p_wish ->> 'plan', v_live.plan),
      coalesce(p_wish ->> 'interval', v_live.interval),
      v_live.currency,
      coalesce((p_wish ->> 'quantity')::bigint, 1));
  else
    if (p_wish ->> 'quantity')::bigint <> 1 and not v_kept.per_seat then
      perform refuse_input('no_seats');
    end if;
    perform check_charge_limit(
      v_kept.amounts, v_live.currency, (p_wish ->> 'quantity')::bigint);
    v_to := v_kept;
  end if;

  select rank
  into v_rank
  from pricing_plan_versions
  where plan = v_live.plan
    and version = v_live.plan_version;

  v_way := change_direction(
    v_to.rank - coalesce(v_rank, 0),
    interval_days(v_to.interval) - interval_days(v_live.interval),
    coalesce((p_wish ->> 'quantity')::bigint, v_live.quantity) - v_live.quantity);

  if v_way = 'none' and v_live.stripe_schedule_id is null then
    return jsonb_build_object('unchanged', subscription_view(p_user_id, p_now));
  end if;

  if v_way = 'upgrade' and v_live.stripe_schedule_id is not null then
    perform refuse('change_planned');
  end if;

  return v_common || jsonb_build_object(
    'do', case
      when v_way = 'none' then 'keep'
      -- What began as a trial may have ended unheard: then it is Stripe's to say what is owed.
      when v_live.status = 'trialing' and v_live.trial_end > p_now then 'replace'
      else v_way
    end,
    'current_price', v_live.stripe_price_id,
    'price', v_to.price_id,
    'quantity', case
      when v_to.per_seat then coalesce((p_wish ->> 'quantity')::bigint, v_live.quantity)
      else 1
    end,
    'plan', v_to.plan,
    'interval', v_to.interval,
    'period_end', extract(epoch from v_live.current_period_end)::bigint);
end
$$;

-- change_direction: whether a change of plan, interval or seats is one up, one down or none.
--
-- Promises  The plan decides; of the same plan the longer interval is the greater commitment; then the
--           seats. What is up is paid for now; what is down waits for the end of what was paid.

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

-- interval_days: how long a billing interval is, to compare it with another; never to count dates.
--
-- Promises  Null for an interval we do not know.

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

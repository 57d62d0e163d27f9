-- apply_subscription_update: Applies an event that describes one subscription, and nothing else.
--
-- Most subscription events change only the period. They have the digest of the row, and take two statements.
-- All others are applied as apply_event does it.
--
-- Takes     The event's id, type, time and rank; the subscription with its digest and period, in Stripe's
--           seconds; and in `p_event` what apply_event takes, which is parsed only if it is needed.
-- Promises  As apply_event, with the same result.
-- Locks     The event (by inserting it), the subscription, and the account if something is due. Otherwise
--           as apply_observation.
-- Races     A concurrent duplicate waits for the first, and then is a duplicate. Of two events of one
--           subscription the second waits for the first. If it then differs from the row, it is refused with
--           FB010, and the caller calls apply_event.

create or replace function apply_subscription_update(
  p_id              text,
  p_type            text,
  p_created         bigint,
  p_rank            integer,
  p_subscription_id text,
  p_digest          bigint,
  p_period_start    bigint,
  p_period_end      bigint,
  p_event           text,
  p_now             call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_at             timestamptz := to_timestamp(p_created);
  -- Null for a duplicate.
  v_is_dead_letter boolean;
  v_user_id        text;
  v_is_renewal     boolean;
  v_unit           text;
  v_amount         bigint;
  v_credits        jsonb;
begin
  if current_setting('farebox.user_id', true) <> '' then
    perform require_service();
  end if;

  insert into webhook_events as e (id, type, created_at, processed_at)
  values (p_id, p_type, v_at, p_now)
  on conflict (id) do nothing
  returning exists (
    select 1
    from failed_webhooks f
    where f.id = e.id
      and f.resolved_at is null)
  into v_is_dead_letter;

  if not v_is_dead_letter then
    update subscriptions
    set current_period_start = to_timestamp(p_period_start),
        current_period_end = to_timestamp(p_period_end),
        observed_after = v_at,
        observed_at = v_at,
        event_rank = p_rank,
        tie_breaker = p_id,
        period_observed_at = case
          when current_period_end = to_timestamp(p_period_end) then period_observed_at
          else v_at
        end,
        -- As add_price_seen does it, for a moment after all others.
        price_seen = price_seen[1:15] || v_at,
        updated_at = p_now
    where id = p_subscription_id
      and digest = p_digest
      and observed_at < v_at
    returning
      user_id,
      grants_credits and period_observed_at = v_at,
      case when cancel_at is null then renewal_unit end,
      renewal_amount
    into v_user_id, v_is_renewal, v_unit, v_amount;

    if found then
      if v_is_renewal and v_unit is not null then
        v_credits := renew_plan_credits(v_user_id, p_subscription_id, v_unit, v_amount, p_now);
        if v_credits is not null then
          return jsonb_build_object('duplicate', false, 'credits', v_credits);
        end if;
      end if;
      if v_is_renewal and exists (
        select 1
        from accounts
        where id = v_user_id
          and due_at <= p_now)
      then
        perform ensure_account(v_user_id, p_now);
        perform recompute_entitlement(v_user_id, p_now);

        return jsonb_build_object(
          'duplicate', false,
          'entitlement', known_entitlement(v_user_id, p_now),
          'has_messages', has_messages(v_user_id, p_now));
      end if;

      return jsonb '{"duplicate": false}';
    end if;

    -- The update waited for another transaction, after which its conditions were false. The row is still
    -- locked, and a transaction that holds it must not wait for the customer.
    if exists (
      select 1
      from subscriptions
      where id = p_subscription_id
        and xmax = pg_current_xact_id()::xid)
    then
      raise exception using
        errcode = 'FB010',
        message = 'another transaction changed the subscription: call apply_event';
    end if;
  end if;

  return apply_observation(p_event::jsonb, v_is_dead_letter is not null, p_now);
end
$$;

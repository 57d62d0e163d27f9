-- internal: called by our functions, not by farebox_app.
--
-- hear_subscription: merges what an event says of a subscription, and what follows from that.
--
-- Promises  A change is written to billing_events with what was before and what is after. Its user is
--           written to when it was canceled, and when its trial is about to end. One whose price is none
--           of the catalog's is refused with FB007, if it is known whose it is.
-- Locks     The subscription's row (merge_subscription). The caller holds the customer's and the user's.
-- Races     The customer's row puts callers in line.

create or replace function hear_subscription(p_event jsonb, p_user_id text, p_now timestamptz)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_fact   jsonb := p_event -> 'facts' -> 'subscription';
  v_before jsonb := subscription_standing(v_fact ->> 'id');
  v_after  jsonb;
  v_now    subscriptions;
begin
  perform merge_subscription(
    v_fact,
    p_user_id,
    to_timestamp((p_event ->> 'since')::bigint),
    to_timestamp((p_event ->> 'created')::bigint),
    (p_event ->> 'rank')::integer,
    p_event ->> 'heard',
    p_now);

  v_after := subscription_standing(v_fact ->> 'id');

  if v_before is distinct from v_after then
    select *
    into v_now
    from subscriptions
    where id = v_fact ->> 'id';

    if v_now.plan is null and v_now.user_id is not null then
      raise exception using
        errcode = 'FB007',
        message = 'a subscription to nothing of the catalog';
    end if;

    insert into billing_events (
      user_id, customer_id, subscription_id, kind, amount_minor, currency, status,
      before, after, stripe_event_id, occurred_at, recorded_at)
    values (
      v_now.user_id, v_now.customer_id, v_now.id,
      case
        when v_before is null then 'subscription.created'
        when v_now.status in ('canceled', 'incomplete_expired') then 'subscription.ended'
        else 'subscription.changed'
      end,
      v_now.amount_minor, v_now.currency, v_now.status,
      v_before, v_after, p_event ->> 'id',
      to_timestamp((p_event ->> 'created')::bigint), p_now)
    on conflict (stripe_event_id, kind) do nothing;

    if v_after ->> 'status' = 'canceled' and v_before ->> 'status' <> 'canceled' then
      perform enqueue_email(p_event, v_now.user_id, 'canceled', v_now.id, email_about(v_now), p_now);
    end if;
  end if;

  if p_event -> 'facts' ->> 'notice' = 'trial_ending' and v_after ->> 'status' = 'trialing' then
    select *
    into v_now
    from subscriptions
    where id = v_fact ->> 'id';

    perform enqueue_email(
      p_event,
      v_now.user_id,
      'trial_ending',
      format('%s:%s', v_now.id, extract(epoch from v_now.trial_end)::bigint),
      email_about(v_now),
      p_now);
  end if;
end
$$;

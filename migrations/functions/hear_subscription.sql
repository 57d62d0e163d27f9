-- internal: called by our functions, not by farebox_app.
--
-- hear_subscription: merges what an event says of a subscription, and what follows from that.
--
-- Promises  A change is written to billing_events with what was before and what is after. Its user is
--           written to when it was canceled, and when its trial is about to end. One whose price is none
--           of the catalog's, or that has several plans of it, is refused with FB007, if it has not ended,
--           and it is known whose it is or it was to a plan before. If it was heard of before that plan, it
--           is taken back (set_aside_foreign): every order ends with the plan, and a dead letter. Operators are told of a user who has two that live. What
--           its user has is settled, if anything has changed that it could depend on: a renewal changes
--           nothing of it, unless the plan grants credits. Answers whether it did.
-- Locks     The user's row, if anything has changed. The caller holds the customer's.
-- Races     The customer's row puts callers in line: a subscription is one customer's for its life.

create or replace function hear_subscription(p_event jsonb, p_user_id text, p_now timestamptz)
returns boolean
language plpgsql
as $$
declare
  v_at       timestamptz := to_timestamp((p_event ->> 'created')::bigint);
  v_is_quiet boolean := coalesce((p_event ->> 'quiet')::boolean, false);
  v_old      subscriptions;
  v_new      subscriptions;
  v_is_alike boolean;
  v_before   jsonb;
  v_after    jsonb;
begin
  select *
  into v_old
  from subscriptions
  where id = p_event -> 'facts' -> 'subscription' ->> 'id';

  if v_old.id is not null
     and v_old.plan is null
     and (v_old.heard_at, v_old.heard_rank) >= (v_at, (p_event ->> 'rank')::integer)
     and set_aside_foreign(v_old, p_event, p_now)
  then
    v_new := subscription_heard(null, p_user_id, p_event, p_now);
  else
    v_new := subscription_heard(v_old, p_user_id, p_event, p_now);
  end if;

  v_is_alike := v_new.id is null or v_old.id is not null and are_alike(v_old, v_new);
  if not v_is_alike and v_old.user_id is not null then
    -- What time was to bring comes from the subscription as it was.
    perform begin_change(v_old.user_id, p_now);
  end if;

  if v_new.id is not null then
    perform keep_subscription(v_new, v_old.id is not null);
  end if;

  -- Most events renew: for them nothing has to be worked out.
  if v_is_alike
     and (v_new.id is null or not begins_credits(v_old, v_new))
     and not p_event -> 'facts' ? 'notice'
  then
    return false;
  end if;

  if not v_is_alike then
    v_before := subscription_standing(v_old);
    v_after := subscription_standing(v_new);
  end if;

  if v_new.id is null then
    v_new := v_old;
  end if;
  if v_new.user_id is not null then
    perform ensure_user(v_new.user_id, p_now);
  end if;
  if v_new.plan is null
     and (v_new.user_id is not null or v_old.plan is not null)
     and v_new.status not in ('canceled', 'incomplete_expired')
  then
    raise exception using
      errcode = 'FB007',
      message = foreign_price(v_new, p_event -> 'facts' -> 'subscription');
  end if;

  if v_before is distinct from v_after then
    perform record_subscription_change(v_new, v_before, v_after, p_event, p_now);
  end if;
  if v_after ->> 'status' = 'canceled' and v_before ->> 'status' is distinct from 'canceled' then
    perform enqueue_email(
      v_new.user_id, 'canceled', v_new.id, email_about(v_new), v_at, v_is_quiet, p_now);
  end if;
  if p_event -> 'facts' ->> 'notice' = 'trial_ending' and v_new.status = 'trialing' then
    perform enqueue_email(
      v_new.user_id,
      'trial_ending',
      format('%s:%s', v_new.id, extract(epoch from v_new.trial_end)::bigint),
      email_about(v_new),
      v_at,
      v_is_quiet,
      p_now);
  end if;

  if v_new.user_id is not null then
    if not v_is_alike and v_new.status in ('active', 'trialing') then
      perform report_paid_twice(v_new.user_id, p_now);
    end if;
    perform settle(v_new.user_id, p_now);
    perform bump_entitlement(v_new.user_id, p_now);
    if v_new.user_id is distinct from p_user_id then
      -- The event's customer is somebody else's: what is pushed after it is theirs.
      perform repair_cache(v_new.user_id, p_now);
    end if;
  end if;

  return true;
end
$$;

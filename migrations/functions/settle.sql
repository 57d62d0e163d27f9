-- internal: called by our functions, not by farebox_app.
--
-- settle: what a user may do, after anything it depends on has changed, time included.
--
-- Promises  The entitlement is what is due, credits that have expired are gone, and those that the plan
--           gives for the running period are there, or gone if that is not a period of its own. The version grows if anything changed; the identity
--           provider is told of another plan. Written down is when time alone changes something next.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function settle(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_due           record;
  v_next_grant_at timestamptz;
  v_due_at        timestamptz;
begin
  p_now := plan_time(p_user_id, p_now);
  v_due := due_plan(p_user_id, p_now);

  if v_due.plan is null then
    -- There is no catalog yet, so there is nothing to be entitled to.
    return;
  end if;

  update plan_grants
  set ended_at = ends_at
  where user_id = p_user_id
    and ended_at is null
    and ends_at <= p_now;

  if keep_plan(
    p_user_id, v_due.plan, v_due.version, v_due.source, v_due.status, v_due.subscription_id, v_due.anchor,
    v_due.trial_start, p_now)
  then
    perform bump_entitlement(p_user_id, p_now);
    perform carry_usage(p_user_id, p_now);
    perform enqueue('identity', format('identity:%s', p_user_id), p_user_id, '{}', p_now, p_now);
  end if;

  perform expire_credits(p_user_id, p_now);
  v_next_grant_at := grant_plan_credits(
    p_user_id, case when v_due.grants then v_due.plan end, v_due.version, v_due.anchor, v_due.trial_start,
    p_now);

  v_due_at := least(v_due.ends_at, v_next_grant_at, next_credit_expiry(p_user_id), 'infinity');
  update users
  set due_at = v_due_at,
      -- Copies may count on more time than there is.
      entitlement_version = case
        when v_due_at < due_at
        then greatest(entitlement_version + 1, (extract(epoch from p_now) * 1000)::bigint)
        else entitlement_version
      end
  where id = p_user_id
    and due_at <> v_due_at;
end
$$;

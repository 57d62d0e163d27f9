-- internal: called by our functions, not by farebox_app.
--
-- keep_plan: writes down which plan counts for a user, and why.
--
-- Promises  Answers whether that is news; nothing is written where it is not. `since` stays for as long as the
--           same plan counts by the same periods, whatever its status.
-- Locks     The entitlement's row, if it is news. The caller holds the user's.
-- Races     The user's row puts callers in line.

create or replace function keep_plan(
  p_user_id         text,
  p_plan            text,
  p_version         integer,
  p_source          text,
  p_status          text,
  p_subscription_id text,
  p_anchor          timestamptz,
  p_trial_start     timestamptz,
  p_now             timestamptz
)
returns boolean
language plpgsql
as $$
begin
  perform 1
  from entitlements
  where user_id = p_user_id
    and (plan, plan_version, source, status, subscription_id, anchor, trial_start)
      is not distinct from (
        p_plan, p_version, p_source, p_status, p_subscription_id, p_anchor, p_trial_start);

  if found then
    return false;
  end if;

  insert into entitlements as e (
    user_id, plan, plan_version, source, status, subscription_id, anchor, trial_start, since, updated_at)
  values (
    p_user_id, p_plan, p_version, p_source, p_status, p_subscription_id, p_anchor, p_trial_start, p_now,
    p_now)
  on conflict (user_id) do update
  set plan = excluded.plan,
      plan_version = excluded.plan_version,
      source = excluded.source,
      status = excluded.status,
      subscription_id = excluded.subscription_id,
      anchor = excluded.anchor,
      trial_start = excluded.trial_start,
      since = case
        when (e.plan, e.plan_version, e.anchor, e.trial_start)
          is distinct from (excluded.plan, excluded.plan_version, excluded.anchor, excluded.trial_start)
        then p_now
        else e.since
      end,
      updated_at = excluded.updated_at;

  return true;
end
$$;

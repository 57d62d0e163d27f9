-- user_plan: Returns a user's plan, as it was last computed.
--
-- Promises  The default plan, in its current version, for a user without another plan and for an unknown
--           user. A plan that was bought keeps its version. All null while nothing is sold. Runs with its
--           caller's rights. Changes by time alone are seen only after recompute_if_due.

create or replace function user_plan(
  p_user_id           permitted_user,
  out plan            text,
  out version         integer,
  out source          text,
  out status          text,
  out subscription_id text,
  out anchor          timestamptz,
  out trial_start     timestamptz,
  out changed_at      timestamptz
)
language plpgsql
stable
set search_path from current
as $$
#variable_conflict use_column
begin
  select e.plan, e.plan_version, e.source, e.status, e.subscription_id, e.anchor, e.trial_start,
         e.updated_at
  into plan, version, source, status, subscription_id, anchor, trial_start, changed_at
  from entitlements e
  where e.user_id = p_user_id;

  if source is null or source = 'default' then
    -- The default plan is not bought: its users always have its current version.
    select d.plan, d.version, 'default', coalesce(status, 'none')
    into plan, version, source, status
    from default_plan d;
  end if;
end
$$;

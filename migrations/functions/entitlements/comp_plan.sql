-- comp_plan: Gives a user a plan without Stripe (a comp), or ends a comp.
--
-- Promises  The comp lasts from now until `p_ends_at`, if that is given, and outranks every subscription. It
--           replaces an earlier comp; for the same plan version, only the end changes. The default plan ends
--           the current comp. Every change is written to the audit log. Repeating it changes nothing. An
--           unknown plan is refused with FB005. Returns the entitlement.
-- Locks     The account (ensure_account).
-- Races     Of two concurrent calls, the second replaces the comp of the first, whichever clock was read
--           first (effective_now).

create or replace function comp_plan(
  p_user_id permitted_user,
  p_plan    text,
  p_ends_at timestamptz,
  p_reason  text,
  p_actor   text,
  p_now     call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_now     timestamptz;
  v_plan    record;
  v_grant   plan_comps;
  v_is_same boolean;
begin
  perform ensure_account(p_user_id, p_now);
  v_now := effective_now(p_user_id, p_now);

  -- First apply what is due, under the old plan.
  perform recompute_entitlement(p_user_id, v_now)
  from accounts
  where id = p_user_id
    and due_at > '-infinity'
    and due_at <= v_now;

  select v.plan, v.version, v.is_default
  into v_plan
  from current_plans c
  join pricing_plan_versions v using (plan, version)
  where v.plan = p_plan
    or lower(v.name) = lower(p_plan)
  order by v.plan = p_plan desc
  limit 1;
  if v_plan.plan is null then
    perform refuse_input('unknown_plan');
  end if;

  select *
  into v_grant
  from plan_comps
  where user_id = p_user_id
    and ended_at is null
    and (ends_at is null or ends_at > v_now);

  v_is_same := (v_grant.plan, v_grant.plan_version)
    is not distinct from (v_plan.plan, v_plan.version);

  if (v_grant.plan, v_grant.plan_version, v_grant.ends_at)
     is distinct from (v_plan.plan, v_plan.version, p_ends_at)
     and not (v_plan.is_default and v_grant.id is null)
  then
    update plan_comps
    set ends_at = case when id = v_grant.id and v_is_same then p_ends_at else ends_at end,
        ended_at = case when id = v_grant.id and v_is_same then null else v_now end
    where user_id = p_user_id
      and ended_at is null;

    if not v_plan.is_default and not v_is_same then
      insert into plan_comps (user_id, plan, plan_version, starts_at, ends_at)
      values (p_user_id, v_plan.plan, v_plan.version, v_now, p_ends_at);
    end if;

    insert into audit_log (occurred_at, actor, action, user_id, details)
    values (
      v_now, p_actor, 'plan.grant', p_user_id,
      jsonb_build_object(
        'before', jsonb_build_object('plan', v_grant.plan, 'ends_at', v_grant.ends_at),
        'after', jsonb_build_object('plan', v_plan.plan, 'ends_at', p_ends_at),
        'reason', p_reason));
  end if;

  perform recompute_entitlement(p_user_id, v_now);

  return entitlement_view(p_user_id, v_now);
end
$$;

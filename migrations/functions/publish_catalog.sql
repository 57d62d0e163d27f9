-- internal: called by the operator who owns the schema, not by farebox_app.
--
-- publish_catalog: makes a checked catalog, its Stripe ids resolved, the one that is sold.
--
-- Takes     {"plans": [...], "packs": [...]}, as publish_plan and publish_pack take them.
-- Promises  All or nothing. Each plan and pack that differs from its latest version gets a new one;
--           what is not in the catalog is no longer sold, and stays for those who have it. Answers
--           {"plans": [{"plan", "version", "change"}], "packs": [{"pack", "version", "change"}]},
--           with what changed alone: "new", "changed" or "removed". Repeating it changes nothing.
-- Locks     current_plans, against every other publisher; readers go on reading.
-- Races     Publishers take turns: of several with one catalog, one makes the versions.

create or replace function publish_catalog(p_catalog jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_plans   jsonb;
  v_packs   jsonb;
  v_removed jsonb;
begin
  if jsonb_array_length(jsonb_path_query_array(p_catalog, '$.plans[*] ? (@.is_default == true)')) > 1
  then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'a catalog has one default plan at most';
  end if;

  lock table current_plans in share row exclusive mode;

  select coalesce(jsonb_agg(change order by position) filter (where change is not null), '[]')
  into v_plans
  from jsonb_array_elements(p_catalog -> 'plans') with ordinality item (plan, position),
    lateral publish_plan(item.plan, p_now) change;

  with removed as (
    delete from current_plans
    where plan not in (
      select item ->> 'plan'
      from jsonb_array_elements(p_catalog -> 'plans') item
    )
    returning plan, version
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('plan', plan, 'version', version, 'change', 'removed') order by plan),
    '[]'
  )
  into v_removed
  from removed;

  v_plans := v_plans || v_removed;

  select coalesce(jsonb_agg(change order by position) filter (where change is not null), '[]')
  into v_packs
  from jsonb_array_elements(p_catalog -> 'packs') with ordinality item (pack, position),
    lateral publish_pack(item.pack, p_now) change;

  with removed as (
    delete from current_packs
    where pack not in (
      select item ->> 'pack'
      from jsonb_array_elements(p_catalog -> 'packs') item
    )
    returning pack, version
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('pack', pack, 'version', version, 'change', 'removed') order by pack),
    '[]'
  )
  into v_removed
  from removed;

  delete from plan_terms;
  insert into plan_terms (plan, version, features)
  select plan, version, worked_out_features(plan, version)
  from pricing_plan_versions;

  -- Nobody bought the plan of those who pay nothing: what it gives from now on they are given.
  update users
  set due_at = p_now
  from entitlements e
  join current_plans c on true
  join pricing_plan_versions v
    on v.plan = c.plan
    and v.version = c.version
    and v.is_default
    and v.features @? '$.* ? (@.type == "credits" && @.amount > 0)'
  where e.user_id = users.id
    and e.source = 'default'
    and users.due_at > p_now;

  return jsonb_build_object('plans', v_plans, 'packs', v_packs || v_removed);
end
$$;

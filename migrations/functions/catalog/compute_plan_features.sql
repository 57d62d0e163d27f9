-- compute_plan_features: works out what plan_features answers.
--
-- Promises  A feature that is newer than the version is there, and not in it. `upgrades` are the plans on
--           sale that give more, the lowest first, with what they give: an amount of credits, or how often it
--           may be used before it is refused, null where it never is. Runs with its caller's rights.

create or replace function compute_plan_features(p_plan text, p_version integer)
returns jsonb
language plpgsql
stable
set search_path from current
as $$
begin
  return (
    with own as (
      select rank, features
      from pricing_plan_versions
      where plan = p_plan
        and version = p_version
    ),
    terms as (
      select
        key,
        coalesce(
          own.features -> key,
          catalog.value || case catalog.value ->> 'type'
            when 'boolean' then '{"enabled": false}'
            when 'metered' then '{"limit": 0, "overage": "hard"}'
            else '{"amount": 0}'
          end::jsonb) as terms
      from own
      cross join lateral jsonb_each(catalog_features() || own.features) catalog
    ),
    offers as (
      select
        offered.key,
        jsonb_agg(
          jsonb_build_object('plan', v.plan, 'gives', offer.gives)
          order by v.rank, v.plan) as upgrades
      from own
      join current_plans c on c.plan <> p_plan
      join pricing_plan_versions v
        on v.plan = c.plan
        and v.version = c.version
        and v.rank > own.rank
        and v.is_listed
      cross join lateral jsonb_each(v.features) offered
      cross join lateral (
        select case
          when offered.value ->> 'overage' is distinct from 'soft'
          then coalesce(offered.value ->> 'amount', offered.value ->> 'limit')::bigint
        end as gives
      ) offer
      join terms t on t.key = offered.key
      where (offered.value ->> 'enabled')::boolean and not (t.terms ->> 'enabled')::boolean
        or (offered.value ->> 'amount')::bigint > (t.terms ->> 'amount')::bigint
        or offered.value ->> 'type' = 'metered' and t.terms ->> 'type' = 'metered'
           and coalesce(offer.gives, 9223372036854775807) > (t.terms ->> 'limit')::bigint
      group by offered.key
    )
    select jsonb_object_agg(t.key, t.terms || jsonb_build_object('upgrades', coalesce(o.upgrades, '[]')))
    from terms t
    left join offers o using (key));
end
$$;

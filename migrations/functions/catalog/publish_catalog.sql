-- publish_catalog: Publishes a validated catalog, with its Stripe ids resolved. It replaces the current one.
--
-- Takes     {"plans": [...], "packs": [...]}, as publish_plan and publish_pack take them.
-- Promises  Publishes everything or nothing. Repeating it changes nothing. Each plan and pack that differs
--           from its latest version gets a new version. A plan or pack that the catalog omits is no longer
--           sold; its subscribers and buyers keep it. Returns {"plans": [{"plan", "version", "change"}],
--           "packs": [{"pack", "version", "change"}]} with the changes only: "new", "changed" or "removed".
--           Users of the default plan have the new version at once. Their credits change with the next call
--           for the account, or in the minute job.
-- Locks     current_plans, against other publishers. Reads continue.
-- Races     Publishers take turns: of several with the same catalog, one creates the versions.

create or replace function publish_catalog(p_catalog jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_before        jsonb;
  v_after         jsonb;
  v_plans         jsonb;
  v_packs         jsonb;
  v_removed_plans jsonb;
  v_removed_packs jsonb;
begin
  if jsonb_array_length(jsonb_path_query_array(p_catalog, '$.plans[*] ? (@.is_default == true)')) > 1 then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'a catalog may have at most one default plan';
  end if;

  lock table current_plans in share row exclusive mode;
  v_before := default_plan_terms();

  select coalesce(jsonb_agg(change order by position) filter (where change is not null), '[]')
  into v_plans
  from jsonb_array_elements(p_catalog -> 'plans') with ordinality item (plan, position)
  cross join lateral publish_plan(item.plan, p_now) change;

  with removed as (
    delete from current_plans
    where plan not in (
      select item ->> 'plan'
      from jsonb_array_elements(p_catalog -> 'plans') item)
    returning plan, version
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('plan', plan, 'version', version, 'change', 'removed') order by plan),
    '[]')
  into v_removed_plans
  from removed;

  select coalesce(jsonb_agg(change order by position) filter (where change is not null), '[]')
  into v_packs
  from jsonb_array_elements(p_catalog -> 'packs') with ordinality item (pack, position)
  cross join lateral publish_pack(item.pack, p_now) change;

  with removed as (
    delete from current_packs
    where pack not in (
      select item ->> 'pack'
      from jsonb_array_elements(p_catalog -> 'packs') item)
    returning pack, version
  )
  select coalesce(
    jsonb_agg(jsonb_build_object('pack', pack, 'version', version, 'change', 'removed') order by pack),
    '[]')
  into v_removed_packs
  from removed;

  delete from plan_terms;

  insert into plan_terms (plan, version, features)
  select plan, version, compute_plan_features(plan, version)
  from pricing_plan_versions;

  -- The default plan is not bought: its users always have its current version.
  v_after := default_plan_terms();
  if v_after is distinct from v_before then
    update catalog_state
    set epoch = epoch + 1,
        marked_until = case
          when jsonb_build_array(v_before, v_after)
            @? '$[*].features.* ? (@.type == "credits" && @.amount > 0)'
          then ''
          else marked_until
        end;
  end if;

  return jsonb_build_object(
    'plans', v_plans || v_removed_plans,
    'packs', v_packs || v_removed_packs);
end
$$;

-- default_plan_terms: Returns the default plan and its features.
--
-- Promises  Its key, version and features; null if there is no default plan.

create or replace function default_plan_terms()
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object('plan', plan, 'version', version, 'features', features)
    from default_plan
    join pricing_plan_versions using (plan, version));
end
$$;

-- publish_plan: Makes a plan of the catalog current.
--
-- Takes     {"plan", "name", "description", "rank", "trial_days", "is_default", "is_listed",
--           "past_due_grace_days", "history_keep_days", "history_max_entries", "features": {...}, "prices":
--           [{"interval", "currency", "amount_minor", "currency_amounts", "per_seat", "stripe_product_id",
--           "stripe_price_id"}]}.
-- Promises  Adds a version if any value, prices and ids included, differs from the plan's latest version.
--           Returns {"plan", "version", "change"}, or null if nothing changed.
-- Locks     The caller has locked current_plans.

create or replace function publish_plan(p_plan jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_plan    text := p_plan ->> 'plan';
  -- The text of a jsonb value does not depend on the order in which its keys were written.
  v_digest  text := encode(sha256(convert_to(p_plan::text, 'UTF8')), 'hex');
  v_latest  record;
  v_current integer;
begin
  select version, digest
  into v_latest
  from pricing_plan_versions
  where plan = v_plan
  order by version desc
  limit 1;

  select version
  into v_current
  from current_plans
  where plan = v_plan;

  if v_latest.digest is distinct from v_digest then
    v_latest.version := coalesce(v_latest.version, 0) + 1;

    insert into pricing_plan_versions (
      plan, version, name, description, rank, trial_days, is_default, is_listed, past_due_grace_days,
      history_keep_days, history_max_entries, features, digest, created_at)
    select
      v_plan, v_latest.version, name, description, rank, trial_days, is_default, is_listed,
      past_due_grace_days, history_keep_days, history_max_entries, features, v_digest, p_now
    from jsonb_populate_record(null::pricing_plan_versions, p_plan);

    insert into pricing_plan_prices (
      plan, version, interval, currency, amount_minor, currency_amounts, per_seat, stripe_product_id,
      stripe_price_id)
    select
      v_plan, v_latest.version, price.interval, price.currency, price.amount_minor,
      price.currency_amounts, price.per_seat, price.stripe_product_id, price.stripe_price_id
    from jsonb_populate_recordset(null::pricing_plan_prices, p_plan -> 'prices') price;
  end if;

  if v_current is not distinct from v_latest.version then
    return null;
  end if;

  insert into current_plans (plan, version)
  values (v_plan, v_latest.version)
  on conflict (plan) do update
  set version = excluded.version;

  return jsonb_build_object(
    'plan', v_plan,
    'version', v_latest.version,
    'change', case when v_current is null then 'new' else 'changed' end);
end
$$;

-- publish_pack: Makes a credit pack of the catalog current.
--
-- Takes     {"pack", "name", "description", "rank", "unit", "credits", "expires_after_days", "max_quantity",
--           "promotion_codes", "currency", "amount_minor", "currency_amounts", "stripe_product_id",
--           "stripe_price_id"}.
-- Promises  Adds a version if any value differs from the pack's latest version. Returns {"pack", "version",
--           "change"}, or null if nothing changed.
-- Locks     The caller has locked current_plans.

create or replace function publish_pack(p_pack jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_pack    text := p_pack ->> 'pack';
  v_digest  text := encode(sha256(convert_to(p_pack::text, 'UTF8')), 'hex');
  v_latest  record;
  v_current integer;
begin
  select version, digest
  into v_latest
  from credit_pack_versions
  where pack = v_pack
  order by version desc
  limit 1;

  select version
  into v_current
  from current_packs
  where pack = v_pack;

  if v_latest.digest is distinct from v_digest then
    v_latest.version := coalesce(v_latest.version, 0) + 1;

    insert into credit_pack_versions (
      pack, version, name, description, rank, unit, credits, expires_after_days, max_quantity,
      promotion_codes, currency, amount_minor, currency_amounts, stripe_product_id, stripe_price_id,
      digest, created_at)
    select
      v_pack, v_latest.version, name, description, rank, unit, credits, expires_after_days, max_quantity,
      promotion_codes, currency, amount_minor, currency_amounts, stripe_product_id, stripe_price_id,
      v_digest, p_now
    from jsonb_populate_record(null::credit_pack_versions, p_pack);
  end if;

  if v_current is not distinct from v_latest.version then
    return null;
  end if;

  insert into current_packs (pack, version)
  values (v_pack, v_latest.version)
  on conflict (pack) do update
  set version = excluded.version;

  return jsonb_build_object(
    'pack', v_pack,
    'version', v_latest.version,
    'change', case when v_current is null then 'new' else 'changed' end);
end
$$;

-- compute_plan_features: Computes what a plan version gives of each feature, and which plans give more.
--
-- Promises  Lists every feature of the version and of the current catalog. The version gives nothing of a
--           feature that was added after it. `upgrades` are the plans on sale that give more of the feature,
--           lowest rank first: {"plan", "gives"}. `gives` is an amount of credits or a hard limit; null if
--           the feature is boolean or has no hard limit.

create or replace function compute_plan_features(p_plan text, p_version integer)
returns jsonb
language plpgsql
stable
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
        feature.key,
        coalesce(
          own.features -> feature.key,
          feature.value || case feature.value ->> 'type'
            when 'boolean' then '{"enabled": false}'
            when 'metered' then '{"limit": 0, "overage": "hard"}'
            else '{"amount": 0}'
          end::jsonb) as terms
      from own
      cross join lateral jsonb_each(catalog_features() || own.features) feature
    ),
    upgrades as (
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
           -- Null is unlimited.
           and coalesce(offer.gives, 9223372036854775807) > (t.terms ->> 'limit')::bigint
      group by offered.key
    )
    select jsonb_object_agg(t.key, t.terms || jsonb_build_object('upgrades', coalesce(u.upgrades, '[]')))
    from terms t
    left join upgrades u using (key));
end
$$;

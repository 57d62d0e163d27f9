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
  select plan, version, compute_plan_features(plan, version)
  from pricing_plan_versions;

  -- Nobody bought the plan of those who pay nothing: what it gives from now on they are given.
  update accounts
  set due_at = p_now
  from entitlements e
  join current_plans c on true
  join pricing_plan_versions v
    on v.plan = c.plan
    and v.version = c.version
    and v.is_default
    and v.features @? '$.* ? (@.type == "credits" && @.amount > 0)'
  where e.user_id = accounts.id
    and e.source = 'default'
    and accounts.due_at > p_now;

  return jsonb_build_object('plans', v_plans, 'packs', v_packs || v_removed);
end
$$;

-- publish_plan: makes one plan of a catalog the one that is sold.
--
-- Takes     {"plan", "name", "description", "rank", "trial_days", "is_default", "is_listed",
--           "past_due_grace_days", "features": {...}, "prices": [{"interval", "currency",
--           "amount_minor", "currency_amounts", "per_seat", "stripe_product_id",
--           "stripe_price_id"}]}.
-- Promises  A new version where anything in it, prices and ids too, differs from the plan's latest.
--           Answers {"plan", "version", "change"}, or null where nothing changed.
-- Locks     Nothing: publish_catalog holds the lock.

create or replace function publish_plan(p_plan jsonb, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_plan    text := p_plan ->> 'plan';
  -- The text of a jsonb does not depend on the order in which its fields were written.
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
      plan, version, name, description, rank, trial_days, is_default, is_listed,
      past_due_grace_days, features, digest, created_at
    )
    select
      v_plan, v_latest.version, name, description, rank, trial_days, is_default, is_listed,
      past_due_grace_days, features, v_digest, p_now
    from jsonb_populate_record(null::pricing_plan_versions, p_plan);

    insert into pricing_plan_prices (
      plan, version, interval, currency, amount_minor, currency_amounts, per_seat,
      stripe_product_id, stripe_price_id
    )
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
    'change', case when v_current is null then 'new' else 'changed' end
  );
end
$$;

-- publish_pack: makes one credit pack of a catalog the one that is sold.
--
-- Takes     {"pack", "name", "description", "rank", "unit", "credits", "expires_after_days",
--           "max_quantity", "promotion_codes", "currency", "amount_minor", "currency_amounts", "stripe_product_id",
--           "stripe_price_id"}.
-- Promises  A new version where anything in it differs from the pack's latest. Answers {"pack",
--           "version", "change"}, or null where nothing changed.
-- Locks     Nothing: publish_catalog holds the lock.

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
      pack, version, name, description, rank, unit, credits, expires_after_days,
      max_quantity, promotion_codes, currency,
      amount_minor, currency_amounts, stripe_product_id, stripe_price_id, digest, created_at
    )
    select
      v_pack, v_latest.version, name, description, rank, unit, credits, expires_after_days,
      max_quantity, promotion_codes, currency,
      amount_minor, currency_amounts, stripe_product_id, stripe_price_id, v_digest, p_now
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
    'change', case when v_current is null then 'new' else 'changed' end
  );
end
$$;

-- internal: called by publish_catalog.
--
-- publish_plan: makes one plan of a catalog the one that is sold.
--
-- Takes     {"plan", "name", "description", "rank", "trial_days", "is_default", "is_listed",
--           "past_due_grace_days", "features": {...}, "prices": [{"interval", "currency",
--           "amount_minor", "currency_amounts", "per_seat", "stripe_product_id",
--           "stripe_price_id"}]}.
-- Promises  A new version where anything in it, prices and ids too, differs from the plan's latest.
--           Answers {"plan", "version", "change"}, or null where nothing changed.
-- Locks     Nothing: publish_catalog holds the lock.
-- Races     None, under that lock.

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

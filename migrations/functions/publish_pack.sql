-- internal: called by publish_catalog.
--
-- publish_pack: makes one credit pack of a catalog the one that is sold.
--
-- Takes     {"pack", "name", "description", "rank", "unit", "credits", "expires_after_days",
--           "max_quantity", "promotion_codes", "currency", "amount_minor", "currency_amounts", "stripe_product_id",
--           "stripe_price_id"}.
-- Promises  A new version where anything in it differs from the pack's latest. Answers {"pack",
--           "version", "change"}, or null where nothing changed.
-- Locks     Nothing: publish_catalog holds the lock.
-- Races     None, under that lock.

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

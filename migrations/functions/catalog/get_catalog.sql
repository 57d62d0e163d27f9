-- get_catalog: Returns the plans and credit packs that are sold now, for a pricing page.
--
-- Promises  The listed plans and the packs, by rank, without Stripe's ids. Empty lists before the first
--           catalog is published. The result is of one catalog, even during a publication.

create or replace function get_catalog()
returns jsonb
language sql
stable
set search_path from current
as $$
  select jsonb_build_object(
    'plans', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'key', v.plan,
            'version', v.version,
            'name', v.name,
            'description', v.description,
            'default', v.is_default,
            'trialDays', v.trial_days,
            'prices', (
              select coalesce(
                jsonb_agg(
                  jsonb_build_object(
                    'interval', p.interval,
                    'currency', p.currency,
                    'amountMinor', p.amount_minor,
                    'currencies', p.currency_amounts,
                    'perSeat', p.per_seat)
                  order by array_position('{weekly,monthly,quarterly,yearly}', p.interval)),
                '[]')
              from pricing_plan_prices p
              where p.plan = v.plan
                and p.version = v.version),
            'history', jsonb_build_object(
              'keepDays', v.history_keep_days,
              'maxEntries', v.history_max_entries),
            'features', v.features)
          order by v.rank, v.plan),
        '[]')
      from current_plans c
      join pricing_plan_versions v using (plan, version)
      where v.is_listed),
    'packs', (
      select coalesce(
        jsonb_agg(
          jsonb_build_object(
            'key', pack,
            'version', version,
            'name', name,
            'description', description,
            'unit', unit,
            'credits', credits,
            'expiresAfterDays', expires_after_days,
            'maxQuantity', max_quantity,
            'currency', currency,
            'amountMinor', amount_minor,
            'currencies', currency_amounts)
          order by rank, pack),
        '[]')
      from credit_packs))
$$;

-- plan_on_sale: Returns the current version of a plan and its price, for a purchase or a change of plan.
--
-- Promises  Refuses (FB005) a plan that is not listed or has no price, an interval or a currency in which it
--           is not sold, several seats of a plan without seats, and a total above Stripe's limit. The answer
--           comes from one catalog, even during a publication.

create or replace function plan_on_sale(
  p_plan     text,
  p_interval text,
  p_currency text,
  p_quantity bigint,
  out plan       text,
  out version    integer,
  out rank       integer,
  out trial_days integer,
  out "interval" text,
  out price_id   text,
  out per_seat   boolean
)
language plpgsql
stable
as $$
declare
  v_currency   text;
  v_currencies jsonb;
begin
  select v.plan, v.version, v.rank, v.trial_days
  into plan, version, rank, trial_days
  from current_plans c
  join pricing_plan_versions v using (plan, version)
  where c.plan = p_plan
    and v.is_listed
    and exists (
      select 1
      from pricing_plan_prices p
      where p.plan = v.plan
        and p.version = v.version);

  if plan is null then
    perform refuse_input('unknown_plan');
  end if;

  select p.interval, p.stripe_price_id, p.per_seat, p.currency,
         p.currency_amounts || jsonb_build_object(p.currency, p.amount_minor)
  into "interval", price_id, per_seat, v_currency, v_currencies
  from pricing_plan_prices p
  where p.plan = plan_on_sale.plan
    and p.version = plan_on_sale.version
    and p.interval = p_interval;

  if price_id is null then
    perform refuse_input('unknown_interval');
  end if;
  if not v_currencies ? p_currency then
    perform refuse_input('unknown_currency');
  end if;
  if p_quantity <> 1 and not per_seat then
    perform refuse_input('no_seats');
  end if;
  perform check_charge_limit(v_currencies, coalesce(p_currency, v_currency), p_quantity);
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- monthly_revenue: what a subscription brings in a month, in minor units of its currency.
--
-- Promises  What one period costs, before discounts and taxes, spread over its months. Nothing for one
--           that pays nothing yet or any more, or that is none of the catalog's.
-- Locks     None.
-- Races     None.

create or replace function monthly_revenue(p_subscription subscriptions)
returns bigint
language plpgsql
immutable
as $$
declare
  v_periods_a_year integer := case p_subscription.interval
    when 'weekly' then 52
    when 'monthly' then 12
    when 'quarterly' then 4
    when 'yearly' then 1
  end;
begin
  if p_subscription.status not in ('active', 'past_due') or p_subscription.plan is null then
    return 0;
  end if;

  return coalesce(round(p_subscription.amount_minor::numeric * v_periods_a_year / 12), 0);
end
$$;

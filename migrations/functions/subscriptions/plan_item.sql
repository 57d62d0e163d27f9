-- plan_item: Returns a subscription's fact with the item of the catalog's plan as its item.
--
-- Promises  Takes the item at a price of the catalog, wherever it is in the list; without one, the item of a
--           product of the catalog. If there are several, it takes none: the fact then has no price, and
--           `plans` lists their plans. A fact without a list of items does not change.

create or replace function plan_item(p_fact jsonb)
returns jsonb
language plpgsql
stable
as $$
declare
  v_found record;
begin
  if not p_fact ? 'items' then
    return p_fact;
  end if;

  with known as (
    select listed.item, listed.place, sold.plan, sold.is_price,
           not bool_or(sold.is_price) over () as are_products
    from jsonb_array_elements(p_fact -> 'items') with ordinality listed (item, place)
    cross join lateral (
      select p.plan, coalesce(p.stripe_price_id = listed.item ->> 'price', false) as is_price
      from pricing_plan_prices p
      where p.stripe_price_id = listed.item ->> 'price'
        or p.stripe_product_id = listed.item ->> 'product'
      order by 2 desc
      limit 1
    ) sold
  )
  select count(*) as number,
         (array_agg(item order by place))[1] as item,
         jsonb_agg(plan order by place) as plans
  into v_found
  from known
  where is_price
    or are_products;

  return case v_found.number
    when 0 then p_fact
    when 1 then p_fact || v_found.item
    else p_fact || jsonb_build_object(
      'item', null, 'price', null, 'product', null, 'interval', null, 'plans', v_found.plans)
  end;
end
$$;

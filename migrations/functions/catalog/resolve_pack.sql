-- resolve_pack: which version of which credit pack a session sold, and how many of it.
--
-- Promises  What the session's metadata names, if what it came to before discounts and taxes is a whole
--           number of times that pack's price; else what its only line is the price of, in the newest
--           version there was at the time, if it came to what so many of it cost. No row if it is none
--           of ours.

create or replace function resolve_pack(p_session jsonb, p_at timestamptz)
returns table (pack text, version integer, quantity bigint)
language plpgsql
stable
set search_path from current
as $$
#variable_conflict use_column
begin
  return query
  select sold.pack, sold.version, sold.quantity
  from (
    select coalesce(p_session ->> 'amount_subtotal', p_session ->> 'amount_total')::bigint as amount
  ) asked
  cross join lateral (
    select v.pack, v.version, asked.amount / price.amount as quantity, 1 as place, 0 as age
    from credit_pack_versions v
    join current_packs c using (pack)
    cross join lateral (
      select ((v.currency_amounts || jsonb_build_object(v.currency, v.amount_minor))
              ->> (p_session ->> 'currency'))::bigint as amount
    ) price
    where v.pack = p_session ->> 'pack'
      and v.version = coalesce((p_session ->> 'pack_version')::integer, c.version)
      and asked.amount > 0
      and asked.amount % price.amount = 0
    union all
    select v.pack, v.version, coalesce((item ->> 'quantity')::bigint, 1), 2,
           case when v.created_at <= p_at then -v.version else v.version end
    from (
      select p_session -> 'items' -> 0 as item
      where p_session -> 'items' -> 1 is null
    ) only_line
    join credit_pack_versions v on v.stripe_price_id = item ->> 'price'
    where asked.amount = coalesce((item ->> 'quantity')::bigint, 1)::numeric
      * ((v.currency_amounts || jsonb_build_object(v.currency, v.amount_minor))
         ->> (p_session ->> 'currency'))::bigint
  ) sold
  where sold.quantity > 0
  order by sold.place, sold.age
  limit 1;
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- older_price: a subscription's row after an event that is older than it, or null if that says nothing of it.
--
-- Promises  Which version of a plan it has is as if its events had come in their order: the one that was sold
--           when its price was first observed after any other. Nothing else changes.
-- Locks     None of its own: the caller holds the subscription's row and the customer's.
-- Races     The customer's row puts callers in line.

create or replace function older_price(
  p_row  subscriptions,
  p_fact jsonb,
  p_at   timestamptz,
  p_now  timestamptz
)
returns subscriptions
language plpgsql
stable
as $$
declare
  v_row subscriptions := p_row;
begin
  if p_row.price_seen is null then
    return null;
  end if;

  if p_row.stripe_price_id is distinct from p_fact ->> 'price' then
    v_row.other_price_at := greatest(p_row.other_price_at, p_at);
    v_row.price_seen := array(
      select at
      from unnest(p_row.price_seen) at
      where at > v_row.other_price_at
      order by at);
  elsif p_row.other_price_at is null or p_row.other_price_at < p_at then
    v_row.price_seen := price_seen_at(p_row.price_seen, p_at);
  end if;

  if (v_row.price_seen, v_row.other_price_at)
     is not distinct from (p_row.price_seen, p_row.other_price_at)
  then
    return null;
  end if;

  v_row := sold_version(v_row, p_fact || jsonb_build_object('interval', p_row.interval));
  if v_row.plan is null then
    -- It ended as what it was.
    v_row.plan := p_row.plan;
    v_row.plan_version := p_row.plan_version;
  end if;
  v_row.updated_at := p_now;

  return v_row;
end
$$;

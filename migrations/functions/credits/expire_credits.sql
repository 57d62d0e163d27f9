-- expire_credits: Removes a user's expired credits.
--
-- Promises  Each expired grant gets its own ledger entry, however late this is called. A plan may grant
--           its expired credits again, so the amount of a plan's grant shrinks with them. Repeating it
--           changes nothing.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function expire_credits(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  with expired as (
    select
      g.id,
      g.unit,
      g.kind,
      g.remaining,
      g.payment_id,
      row_number() over in_order as place,
      (sum(g.remaining) over in_order)::bigint as taken
    from wallets w
    join credit_grants g on g.user_id = w.user_id and g.unit = w.unit
    where w.user_id = p_user_id
      and g.is_open
      and g.expires_at <= p_now
    window in_order as (partition by g.unit order by g.expires_at, g.priority, g.id)
  ),
  emptied as (
    update credit_grants g
    set remaining = 0,
        amount = g.amount - case e.kind when 'plan' then e.remaining else 0 end
    from expired e
    where g.id = e.id
  ),
  totals as (
    select unit, max(place) as entries, max(taken) as taken
    from expired
    group by unit
  ),
  moved as (
    update wallets w
    set seq = w.seq + t.entries,
        version = greatest(w.version + 1, (extract(epoch from p_now) * 1000)::bigint),
        balance = w.balance - t.taken
    from totals t
    where w.user_id = p_user_id
      and w.unit = t.unit
    returning w.unit, w.seq - t.entries as seq, w.balance + t.taken as balance
  )
  insert into credit_transactions (
    user_id, unit, seq, delta, balance_after, kind, payment_id, created_at)
  select
    p_user_id, e.unit, m.seq + e.place, -e.remaining, m.balance - e.taken, 'expiry', e.payment_id, p_now
  from expired e
  join moved m using (unit)
  order by e.unit, e.place;
end
$$;

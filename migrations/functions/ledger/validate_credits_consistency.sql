-- validate_credits_consistency: Returns the wallets that differ from the ledger.
--
-- Promises  No row if there is no difference. Otherwise one row for each wallet whose balance is not the sum
--           of its entries, the balance of the last entry, or the sum of its open grants, or whose number is
--           not that of the last entry. Runs with its caller's rights.

create or replace function validate_credits_consistency()
returns table (user_id text, unit text, balance bigint, ledger bigint)
language sql
stable
set search_path from current
as $$
  select coalesce(w.user_id, t.user_id), coalesce(w.unit, t.unit), w.balance, t.total
  from wallets w
  full join (
    select c.user_id, c.unit, sum(c.delta)::bigint as total, max(c.seq) as seq,
           (array_agg(c.balance_after order by c.seq desc))[1] as last
    from credit_transactions c
    where c.user_id not like 'erased:%'
    group by c.user_id, c.unit
  ) t
    on t.user_id = w.user_id
    and t.unit = w.unit
  left join lateral (
    select coalesce(sum(case g.id when w.head_id then w.head_left else g.remaining end), 0) as total
    from credit_grants g
    where g.user_id = w.user_id
      and g.unit = w.unit
      and g.is_open
  ) granted on true
  where w.balance is distinct from t.total
    or t.total is distinct from t.last
    or t.seq is distinct from w.seq
    or granted.total <> greatest(w.balance, 0)
$$;

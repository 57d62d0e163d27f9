-- validate_credits_consistency: whose balances are not what their ledger comes to.
--
-- Promises  No row while all is well; else one for each balance that differs from the sum of its rows, or
--           from what the last of them says, or from what its buckets hold. Runs with its caller's rights.

create or replace function validate_credits_consistency()
returns table (user_id text, unit text, balance bigint, ledger bigint)
language sql
stable
set search_path from current
as $$
  select coalesce(b.user_id, t.user_id, u.id), coalesce(b.unit, t.unit, 'credit'),
         coalesce(b.balance, u.credits_balance), t.total
  from credit_balances b
  full join (
    select c.user_id, c.unit, sum(c.delta)::bigint as total,
           (array_agg(c.balance_after order by c.seq desc))[1] as last
    from credit_transactions c
    where c.user_id not like 'erased:%'
    group by c.user_id, c.unit
  ) t
    on t.user_id = b.user_id
    and t.unit = b.unit
  left join lateral (
    select coalesce(sum(remaining), 0) as total
    from credit_grants
    where user_id = b.user_id
      and unit = b.unit
  ) held on true
  full join (
    select id, credits_balance
    from accounts
    where credits_balance <> 0
  ) u
    on u.id = b.user_id
    and b.unit = 'credit'
  where b.balance is distinct from t.total
    or t.total is distinct from t.last
    or held.total <> greatest(b.balance, 0)
    or b.unit = 'credit' and coalesce(u.credits_balance, 0) <> b.balance
    or b.unit is null
$$;

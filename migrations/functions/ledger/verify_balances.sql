-- verify_balances: what is wrong with what a page of users holds.
--
-- Promises  Looks at `p_limit` users behind the one that is named, and answers what is wrong, how many they
--           were, and the last of them; null at the end. Of each: the counter is the number of the last row
--           of the ledger; each balance is what the ledger's last row of the unit says, and its buckets
--           hold as much; `credits_balance` is the balance of the unit `credit`.

create or replace function verify_balances(p_after_user text, p_limit page_size)
returns jsonb
language plpgsql
stable
security definer
set search_path from current
as $$
begin
  perform require_service();

  return (
    with page as (
      select id, credits_balance, ledger_seq
      from accounts
      where id > p_after_user
      order by id
      limit p_limit
    ),
    held as (
      select p.id, units.unit, b.balance,
             coalesce(balance_before(p.id, units.unit, p.ledger_seq + 1), 0) as ledger,
             (
               select coalesce(sum(remaining), 0)
               from credit_grants
               where user_id = p.id
                 and unit = units.unit
                 and is_open
             ) as in_grants
      from page p
      cross join lateral (
        select unit
        from credit_balances
        where user_id = p.id
        union
        select unit
        from credit_grants
        where user_id = p.id
          and is_open
      ) units
      left join credit_balances b on b.user_id = p.id and b.unit = units.unit
    ),
    problems as (
      select id, 'the number of the last row is not what the user''s says' as problem
      from page
      where ledger_seq <> seq_before(id, 9223372036854775807)
      union all
      select id, format('the balance of %s is not the ledger''s', unit)
      from held
      where balance is distinct from ledger
      union all
      select id, format('the buckets of %s do not hold its balance', unit)
      from held
      where in_grants <> greatest(ledger, 0)
      union all
      select p.id, 'credits_balance is not the balance of credit'
      from page p
      left join credit_balances b on b.user_id = p.id and b.unit = 'credit'
      where p.credits_balance <> coalesce(b.balance, 0)
    )
    select jsonb_build_object(
      'checked', (select count(*) from page),
      'last', (select max(id) from page),
      'problems', (
        select coalesce(
          jsonb_agg(jsonb_build_object('user_id', id, 'problem', problem) order by id, problem), '[]')
        from problems)));
end
$$;

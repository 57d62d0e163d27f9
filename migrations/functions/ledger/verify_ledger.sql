-- verify_ledger: what is wrong with a page of the ledger.
--
-- Promises  Looks at `p_limit` rows behind the one that is named by its user and number, and answers what is
--           wrong with them, how many they were, and the last of them; null at the end. Of each row: its
--           number follows the one before; the balance after it is the one before and what was moved;
--           its user is known, or was erased; its balance is kept; a purchase was paid for.

create or replace function verify_ledger(p_after_user text, p_after_seq bigint, p_limit page_size)
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
      select *
      from credit_transactions
      where (user_id, seq) > (p_after_user, p_after_seq)
      order by user_id, seq
      limit p_limit
    ),
    chained as (
      select
        *,
        coalesce(lag(seq) over (partition by user_id order by seq), seq_before(user_id, seq)) as last_seq,
        coalesce(
          lag(balance_after) over (partition by user_id, unit order by seq),
          balance_before(user_id, unit, seq),
          0) as last_balance
      from page
    ),
    problems as (
      select user_id, seq, 'its number does not follow the one before' as problem
      from chained
      where seq <> last_seq + 1
      union all
      select user_id, seq, 'its balance does not follow from the one before'
      from chained
      where balance_after <> last_balance + delta
      union all
      select c.user_id, c.seq, 'nobody knows its user'
      from chained c
      left join accounts u on u.id = c.user_id
      where u.id is null
        and c.user_id not like 'erased:%'
      union all
      select c.user_id, c.seq, 'its balance is kept nowhere'
      from chained c
      join accounts u on u.id = c.user_id
      left join credit_balances b using (user_id, unit)
      where b.user_id is null
      union all
      select c.user_id, c.seq, 'nothing was paid for it'
      from chained c
      left join payments p on p.id = c.payment_id
      where c.kind = 'purchase'
        and (p.id is null or p.status is distinct from 'succeeded' and coalesce(p.amount_minor, 1) > 0)
    )
    select jsonb_build_object(
      'checked', (select count(*) from page),
      'last', (
        select jsonb_build_object('user_id', user_id, 'seq', seq)
        from page
        order by user_id desc, seq desc
        limit 1),
      'problems', (
        select coalesce(jsonb_agg(to_jsonb(p) order by p.user_id, p.seq, p.problem), '[]')
        from problems p)));
end
$$;

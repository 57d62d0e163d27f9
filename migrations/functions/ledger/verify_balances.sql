-- verify_balances: Checks the wallets of a page of users.
--
-- Promises  Checks `p_limit` users after `p_after_user`. Returns the problems, the number of users, and the
--           last of them; null at the end. Each wallet has the number and the balance of the last ledger
--           entry of its unit, its open grants sum to the balance, and its head is the first of them in
--           spending order.

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
      select id
      from accounts
      where id > p_after_user
      order by id
      limit p_limit
    ),
    found as (
      select
        p.id,
        known.unit,
        w.seq,
        w.balance,
        w.head_id,
        coalesce(entry.seq, 0) as last_seq,
        coalesce(entry.balance_after, 0) as last_balance,
        granted.total as granted,
        granted.first_id
      from page p
      cross join lateral (
        select unit
        from wallets
        where user_id = p.id
        union
        select unit
        from credit_grants
        where user_id = p.id
          and is_open
      ) known
      left join wallets w on w.user_id = p.id and w.unit = known.unit
      left join lateral (
        select seq, balance_after
        from credit_transactions
        where user_id = p.id
          and unit = known.unit
        order by seq desc
        limit 1
      ) entry on true
      cross join lateral (
        select
          coalesce(sum(case g.id when w.head_id then w.head_left else g.remaining end), 0) as total,
          (array_agg(g.id order by g.expires_at, g.priority, g.id))[1] as first_id
        from credit_grants g
        where g.user_id = p.id
          and g.unit = known.unit
          and g.is_open
      ) granted
    ),
    problems as (
      select id, format('the number of the last entry of %s is not the wallet''s', unit) as problem
      from found
      where seq <> last_seq
      union all
      select id, format('the balance of %s is not the ledger''s', unit)
      from found
      where balance is distinct from last_balance
      union all
      select id, format('the grants of %s do not sum to its balance', unit)
      from found
      where granted <> greatest(last_balance, 0)
      union all
      -- A wallet that a function left open has no head. Its next spend gives it one.
      select id, format('the head of %s is not the grant to spend first', unit)
      from found
      where head_id <> first_id
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

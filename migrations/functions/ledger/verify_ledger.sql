-- verify_ledger: Checks a page of the ledger.
--
-- Promises  Checks `p_limit` entries after the given user, unit and number. Returns the problems, the number
--           of entries, and the last of them; null at the end. Each entry's number and balance follow from
--           the entry before it, its user is known or erased, its wallet exists, and a purchase is paid.

create or replace function verify_ledger(
  p_after_user text,
  p_after_unit text,
  p_after_seq  bigint,
  p_limit      page_size
)
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
      where (user_id, unit, seq) > (p_after_user, p_after_unit, p_after_seq)
      order by user_id, unit, seq
      limit p_limit
    ),
    chained as (
      select
        *,
        coalesce(lag(seq) over in_order, (entry_before(user_id, unit, seq)).seq, 0) as last_seq,
        coalesce(
          lag(balance_after) over in_order,
          (entry_before(user_id, unit, seq)).balance_after,
          0) as last_balance
      from page
      window in_order as (partition by user_id, unit order by seq)
    ),
    problems as (
      select user_id, unit, seq, 'its number does not follow the one before' as problem
      from chained
      where seq <> last_seq + 1
      union all
      select user_id, unit, seq, 'its balance does not follow from the one before'
      from chained
      where balance_after <> last_balance + delta
      union all
      select c.user_id, c.unit, c.seq, 'its user has no account'
      from chained c
      left join accounts a on a.id = c.user_id
      where a.id is null
        and c.user_id not like 'erased:%'
      union all
      select c.user_id, c.unit, c.seq, 'its wallet is missing'
      from chained c
      join accounts a on a.id = c.user_id
      left join wallets w using (user_id, unit)
      where w.user_id is null
      union all
      select c.user_id, c.unit, c.seq, 'its payment is missing or did not succeed'
      from chained c
      left join payments p on p.id = c.payment_id
      where c.kind = 'purchase'
        and (p.id is null or p.status is distinct from 'succeeded' and coalesce(p.amount_minor, 1) > 0)
    )
    select jsonb_build_object(
      'checked', (select count(*) from page),
      'last', (
        select jsonb_build_object('user_id', user_id, 'unit', unit, 'seq', seq)
        from page
        order by user_id desc, unit desc, seq desc
        limit 1),
      'problems', (
        select coalesce(jsonb_agg(to_jsonb(p) order by p.user_id, p.unit, p.seq, p.problem), '[]')
        from problems p)));
end
$$;

-- entry_before: Returns the entry of a user and unit before a given number.
--
-- Promises  All null if there is none.

create or replace function entry_before(p_user_id text, p_unit text, p_seq bigint)
returns credit_transactions
language plpgsql
stable
as $$
declare
  v_entry credit_transactions;
begin
  select *
  into v_entry
  from credit_transactions
  where user_id = p_user_id
    and unit = p_unit
    and seq < p_seq
  order by seq desc
  limit 1;

  return v_entry;
end
$$;

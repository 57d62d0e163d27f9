-- sync_user_credits: makes what is cached of a user's credits what the ledger comes to.
--
-- Promises  Every balance is the sum of its rows, and the buckets hold as much: what they hold too much goes
--           as a spend would take it, what they lack is put into one that does not expire. The copy in
--           Redis follows. Writes nothing to the ledger. Answers the balance of the unit `credit`; 0 for
--           someone who is not known, and makes nobody known.
-- Locks     The user's row.

create or replace function sync_user_credits(p_user_id permitted_user)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_now    call_time := farebox_now();
  v_unit   record;
  v_result bigint;
begin
  perform 1
  from accounts
  where id = p_user_id
  for update;

  if not found then
    return 0;
  end if;

  for v_unit in
    select unit, coalesce(ledger.total, 0) as total, coalesce(held.total, 0) as held
    from (
      select unit, sum(delta)::bigint as total
      from credit_transactions
      where user_id = p_user_id
      group by unit
    ) ledger
    full join (
      select unit, sum(remaining)::bigint as total
      from credit_grants
      where user_id = p_user_id
      group by unit
    ) held using (unit)
  loop
    if v_unit.held > greatest(v_unit.total, 0) then
      perform consume_grants(p_user_id, v_unit.unit, v_unit.held - greatest(v_unit.total, 0), null);
    elsif v_unit.held < v_unit.total then
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
      values (
        p_user_id, v_unit.unit, 'adjust', v_unit.total - v_unit.held, v_unit.total - v_unit.held, 50,
        v_now);
    end if;
  end loop;

  delete from credit_balances
  where user_id = p_user_id;

  insert into credit_balances (user_id, unit, balance, topped_up)
  select user_id, unit, sum(delta), greatest(sum(delta), 0)
  from credit_transactions
  where user_id = p_user_id
  group by user_id, unit;

  update accounts
  set ledger_seq = coalesce(
        (
          select max(seq)
          from credit_transactions
          where user_id = p_user_id
        ),
        0),
      credits_balance = coalesce(
        (
          select balance
          from credit_balances
          where user_id = p_user_id
            and unit = 'credit'
        ),
        0)
  where id = p_user_id
  returning credits_balance into v_result;

  perform bump_version(p_user_id, v_now);
  perform repair_cache(p_user_id, v_now);

  return v_result;
end
$$;

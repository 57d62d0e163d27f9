-- sync_user_credits: Rebuilds a user's wallets from the ledger.
--
-- Promises  Each balance is the sum of its entries, and the open grants sum to it: surplus credits are taken
--           as a spend would take them, missing ones are added in a grant that does not expire. Queues a push
--           to Redis. Writes nothing to the ledger. Returns the balance of the unit `credit`; 0 for an
--           unknown user, for whom it creates no account.
-- Locks     The account, then the user's wallets.

create or replace function sync_user_credits(p_user_id permitted_user)
returns bigint
language plpgsql
security definer
set search_path from current
as $$
declare
  v_now  call_time := farebox_now();
  v_unit record;
begin
  perform 1
  from accounts
  where id = p_user_id
  for update;

  if not found then
    return 0;
  end if;

  -- A grant cannot hold more than its amount.
  update wallets w
  set head_left = least(greatest(w.head_left, 0), g.amount)
  from credit_grants g
  where w.user_id = p_user_id
    and g.id = w.head_id;
  perform open_wallets(p_user_id);

  for v_unit in
    select unit, coalesce(ledger.total, 0) as total, coalesce(granted.total, 0) as granted
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
    ) granted using (unit)
  loop
    if v_unit.granted > greatest(v_unit.total, 0) then
      perform consume_grants(p_user_id, v_unit.unit, v_unit.granted - greatest(v_unit.total, 0), null);
    elsif v_unit.granted < v_unit.total then
      insert into credit_grants (user_id, unit, kind, amount, remaining, priority, created_at)
      values (
        p_user_id, v_unit.unit, 'adjust', v_unit.total - v_unit.granted, v_unit.total - v_unit.granted, 50,
        v_now);
    end if;
  end loop;

  delete from wallets w
  where w.user_id = p_user_id
    and not exists (
      select 1
      from credit_transactions t
      where t.user_id = p_user_id
        and t.unit = w.unit);

  insert into wallets as w (user_id, unit, seq, version, due_at, balance, topped_up)
  select
    user_id, unit, max(seq), (extract(epoch from v_now) * 1000)::bigint, '-infinity', sum(delta),
    greatest(sum(delta), 0)
  from credit_transactions
  where user_id = p_user_id
  group by user_id, unit
  on conflict (user_id, unit) do update
  set seq = excluded.seq,
      version = greatest(w.version + 1, excluded.version),
      balance = excluded.balance,
      topped_up = excluded.topped_up;

  perform close_wallets(p_user_id);
  perform bump_version(p_user_id, v_now);
  perform repair_cache(p_user_id, v_now);

  return coalesce(
    (
      select balance
      from wallets
      where user_id = p_user_id
        and unit = 'credit'
    ),
    0);
end
$$;

-- spend_credits: takes credits from a user who has them.
--
-- Promises  Once per idempotency key, for good: a retry is answered the first row again. The soonest to
--           expire go first. More than the balance is refused with FB008 and changes nothing; a unit of
--           nobody's with FB005, an amount that is not above zero with 22023. The user is told when four fifths of what came in last are gone, and
--           when all of it is.
-- Locks     The user's row (lock_and_refresh_user).
-- Races     Calls for one user take turns, so that no two spend the same credit. Of two with one key the
--           second waits, and finds what the first posted.

create or replace function spend_credits(
  p_user_id     permitted_user,
  p_unit        text,
  p_amount      positive_amount,
  p_about       jsonb,
  p_key         text,
  p_fingerprint text,
  p_now         call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_held record;
  v_row  credit_transactions;
begin
  perform lock_and_refresh_user(p_user_id, p_now);

  if p_key is not null then
    v_row := replayed_transaction(p_key, p_fingerprint);
    if v_row.id is not null then
      return credit_change(v_row);
    end if;
  end if;

  update credit_balances
  set balance = balance - p_amount
  where user_id = p_user_id
    and unit = p_unit
    and balance >= p_amount
  returning balance, topped_up
  into v_held;

  if not found then
    perform refuse_spend(p_user_id, p_unit, p_amount);
  end if;

  perform consume_grants(p_user_id, p_unit, p_amount, null);
  v_row := write_to_ledger(
    p_user_id, p_unit, -p_amount, v_held.balance, 'spend',
    coalesce(p_about, '{}') || jsonb_build_object('source', p_key, 'fingerprint', p_fingerprint), p_now);

  perform notice_credits(v_row, v_held.topped_up, p_now);

  return credit_change(v_row);
end
$$;

-- refuse_spend: says that a user has not as many credits as they want to spend.
--
-- Promises  Never returns: FB008 with the balance and what was needed; FB005 for a unit of nobody's (ensure_unit).

create or replace function refuse_spend(p_user_id text, p_unit text, p_amount bigint)
returns void
language plpgsql
as $$
declare
  v_balance bigint := (
    select balance
    from credit_balances
    where user_id = p_user_id
      and unit = p_unit);
begin
  perform ensure_unit(p_user_id, p_unit);

  perform refuse(
    'insufficient_credits',
    jsonb_build_object('unit', p_unit, 'balance', coalesce(v_balance, 0), 'needed', p_amount));
end
$$;

-- notice_credits: has a user told that their credits come to an end.
--
-- Promises  When a spend leaves a fifth or less of what there was after credits last came in, and when it
--           leaves none, once each.
-- Locks     The caller holds the account's row.

create or replace function notice_credits(
  p_spend     credit_transactions,
  p_topped_up bigint,
  p_now       timestamptz
)
returns void
language plpgsql
as $$
declare
  v_before  bigint := p_spend.balance_after - p_spend.delta;
  v_percent integer := case
    when p_spend.balance_after = 0 then 100
    when p_spend.balance_after * 5 <= p_topped_up and v_before * 5 > p_topped_up then 80
  end;
begin
  if v_percent is null then
    return;
  end if;

  perform enqueue_email(
    p_spend.user_id,
    'credits_used',
    -- One a percent and row of the ledger, whose number outlives nobody's name.
    format('%s:%s', p_spend.id, v_percent),
    jsonb_build_object(
      'unit', p_spend.unit,
      'feature_name', coalesce(
        (
          select feature.value ->> 'name'
          from jsonb_each(catalog_features()) feature
          where feature.value ->> 'type' = 'credits'
            and feature.value ->> 'unit' = p_spend.unit
        ),
        p_spend.unit),
      'percent', v_percent,
      'balance', p_spend.balance_after),
    p_now,
    false,
    p_now);
end
$$;

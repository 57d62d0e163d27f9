-- spend_credits: Takes credits from a user's balance.
--
-- Takes     In `p_about`: `reason`, `metadata`, and as `actor_id` the member who acts for the organisation
--           `p_user_id`; each may be absent.
-- Promises  An idempotency key counts once and never expires: a retry returns the first entry. The credits
--           that expire first are spent first. More than the balance is refused with FB008, an unknown unit
--           with FB005, and an amount that is not positive with 22023; a refused call changes nothing. The
--           user is notified when four fifths of the credits after the latest grant are spent, and when all
--           are. A spend from the head of the wallet takes two statements, or three with a key;
--           spend_from_grants makes every other spend. Returns the wallet as credit_change does, and the
--           entry's number and metadata only: the rest of the entry is as requested.
-- Locks     The actor (check_actor), then the wallet. spend_from_grants locks the account between them.
-- Races     Spends from one wallet take turns. Of two with one key, the second finds the first's entry, or
--           fails with 23505 on credit_transactions_source. A spend that waited for the wallet, and then
--           cannot be made from its head, fails with 40001: it holds the wallet, and the account must be
--           locked before that. Both failures change nothing, and the caller repeats the call.

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
  -- Separate variables: a record would make a spend a tenth slower.
  v_seq     bigint;
  v_version bigint;
  v_balance bigint;
  v_left    bigint;
  v_ends    timestamptz;
  v_also_expiring  bigint;
begin
  if p_about ->> 'actor_id' is not null then
    perform check_actor(p_about ->> 'actor_id');
  end if;

  if p_key is not null then
    perform 1
    from credit_transactions
    where source = p_key;

    if found then
      return spend_from_grants(p_user_id, p_unit, p_amount, p_about, p_key, p_fingerprint, p_now);
    end if;
  end if;

  update wallets
  set seq = seq + 1,
      version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint),
      balance = balance - p_amount,
      head_left = head_left - p_amount
  where user_id = p_user_id
    and unit = p_unit
    and due_at > p_now
    and head_left > p_amount
    and balance - p_amount > notice_at
  returning seq, version, balance, head_left, head_ends, also_expiring
  into v_seq, v_version, v_balance, v_left, v_ends, v_also_expiring;

  if not found then
    -- An update that waited for the row, and then found nothing to change, keeps the row's lock. That is
    -- harmless if this transaction has locked the account before.
    perform 1
    from wallets w
    join accounts a on a.id = w.user_id
    where w.user_id = p_user_id
      and w.unit = p_unit
      and w.xmax = pg_current_xact_id_if_assigned()::xid
      and a.xmax <> w.xmax
      and a.xmin <> w.xmax;

    if found then
      raise exception using
        errcode = 'serialization_failure',
        message = 'the wallet changed while the spend waited for it';
    end if;

    return spend_from_grants(p_user_id, p_unit, p_amount, p_about, p_key, p_fingerprint, p_now);
  end if;

  insert into credit_transactions (
    user_id, unit, seq, delta, balance_after, kind, source, fingerprint, reason, metadata, created_at,
    actor_id)
  values (
    p_user_id, p_unit, v_seq, -p_amount, v_balance, 'spend', p_key, p_fingerprint,
    p_about ->> 'reason', p_about -> 'metadata', p_now, p_about ->> 'actor_id');

  return jsonb_build_object(
    'version', v_version,
    'balance', v_balance,
    'expires_at', nullif(v_ends, 'infinity'),
    'expiring', case when v_ends < 'infinity' then v_left + v_also_expiring end,
    'seq', v_seq,
    'metadata', p_about -> 'metadata');
end
$$;

-- spend_from_grants: Spends credits if the head of the wallet is not enough to decide.
--
-- Promises  As spend_credits, for several grants, a known key, an account that is due or unknown, an empty
--           wallet, or a notice. Reads only the grants it takes from, and the one that becomes the head.
-- Locks     The account, then the wallet.

create or replace function spend_from_grants(
  p_user_id     text,
  p_unit        text,
  p_amount      bigint,
  p_about       jsonb,
  p_key         text,
  p_fingerprint text,
  p_now         timestamptz
)
returns jsonb
language plpgsql
as $$
declare
  v_entry  credit_transactions;
  v_wallet wallets;
  v_grant  record;
  v_spent  bigint[];
  v_lacks  bigint;
begin
  perform lock_and_refresh_user(p_user_id, p_now);

  select *
  into v_wallet
  from wallets
  where user_id = p_user_id
    and unit = p_unit
  for update;

  -- Under the wallet's lock: a spend from the head holds nothing else.
  if p_key is not null then
    v_entry := replayed_entry(p_key, p_fingerprint);
    if v_entry.seq is not null then
      return credit_change(v_entry);
    end if;
  end if;

  if coalesce(v_wallet.balance, 0) < p_amount then
    perform ensure_unit(p_user_id, p_unit);
    perform refuse(
      'insufficient_credits',
      jsonb_build_object('unit', p_unit, 'balance', coalesce(v_wallet.balance, 0), 'needed', p_amount));
  end if;

  if v_wallet.head_id is null then
    -- A function left the wallet open.
    perform close_wallets(p_user_id);
    select *
    into v_wallet
    from wallets
    where user_id = p_user_id
      and unit = p_unit;
  end if;

  v_wallet.seq := v_wallet.seq + 1;
  v_wallet.version := greatest(v_wallet.version + 1, (extract(epoch from p_now) * 1000)::bigint);
  v_wallet.balance := v_wallet.balance - p_amount;
  v_lacks := p_amount - v_wallet.head_left;
  v_wallet.head_left := -v_lacks;

  if v_lacks >= 0 then
    v_spent := array[v_wallet.head_id];
    v_wallet.head_id := null;
    v_wallet.head_left := null;
    v_wallet.head_ends := null;

    for v_grant in
      select id, remaining, expires_at
      from credit_grants
      where user_id = p_user_id
        and unit = p_unit
        and is_open
        and id <> v_spent[1]
      order by expires_at, priority, id
    loop
      if v_grant.remaining > v_lacks then
        v_wallet.head_id := v_grant.id;
        v_wallet.head_left := v_grant.remaining - v_lacks;
        v_wallet.head_ends := v_grant.expires_at;
        exit;
      end if;
      v_spent := v_spent || v_grant.id;
      v_lacks := v_lacks - v_grant.remaining;
    end loop;

    update credit_grants
    set remaining = 0
    where id = any (v_spent);

    v_wallet.also_expiring := 0;
    if v_wallet.head_ends < 'infinity' then
      select coalesce(sum(remaining), 0)
      into v_wallet.also_expiring
      from credit_grants
      where user_id = p_user_id
        and unit = p_unit
        and is_open
        and expires_at = v_wallet.head_ends
        and id <> v_wallet.head_id;
    end if;
  end if;

  update wallets
  set seq = v_wallet.seq,
      version = v_wallet.version,
      balance = v_wallet.balance,
      notice_at = case when v_wallet.balance * 5 > topped_up then topped_up / 5 else 0 end,
      head_id = v_wallet.head_id,
      head_left = v_wallet.head_left,
      head_ends = v_wallet.head_ends,
      also_expiring = v_wallet.also_expiring
  where user_id = p_user_id
    and unit = p_unit;

  insert into credit_transactions (
    user_id, unit, seq, delta, balance_after, kind, source, fingerprint, reason, metadata, created_at,
    actor_id)
  values (
    p_user_id, p_unit, v_wallet.seq, -p_amount, v_wallet.balance, 'spend', p_key, p_fingerprint,
    p_about ->> 'reason', p_about -> 'metadata', p_now, p_about ->> 'actor_id');

  if v_wallet.balance * 5 <= v_wallet.topped_up then
    perform notice_credits(v_wallet, p_amount, p_now);
  end if;

  return unit_view(v_wallet) || jsonb_build_object(
    'version', v_wallet.version,
    'seq', v_wallet.seq,
    'metadata', p_about -> 'metadata');
end
$$;

-- notice_credits: Notifies a user, and the app, that credits are running out.
--
-- Promises  Once when a spend leaves a fifth or less of the credits after the latest grant, and once when it
--           leaves none.
-- Takes     In `p_wallet`: the wallet after the spend. In `p_amount`: the credits that were spent.
-- Locks     The queue of webhooks. The caller holds the account.

create or replace function notice_credits(p_wallet wallets, p_amount bigint, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_before  bigint := p_wallet.balance + p_amount;
  v_percent integer := case
    when p_wallet.balance = 0 then 100
    when p_wallet.balance * 5 <= p_wallet.topped_up and v_before * 5 > p_wallet.topped_up then 80
  end;
begin
  if v_percent is null then
    return;
  end if;

  perform enqueue_app_webhook(
    p_wallet.user_id,
    'credits.low',
    null,
    jsonb_build_object('unit', p_wallet.unit, 'balance', p_wallet.balance, 'percent_used', v_percent),
    p_now);
  perform enqueue_email(
    p_wallet.user_id,
    'credits_used',
    -- One for each percentage and entry.
    format('%s:%s:%s:%s', p_wallet.user_id, p_wallet.unit, p_wallet.seq, v_percent),
    jsonb_build_object(
      'unit', p_wallet.unit,
      'feature_name', coalesce(
        (
          select feature.value ->> 'name'
          from jsonb_each(catalog_features()) feature
          where feature.value ->> 'type' = 'credits'
            and feature.value ->> 'unit' = p_wallet.unit
        ),
        p_wallet.unit),
      'percent', v_percent,
      'balance', p_wallet.balance),
    p_now,
    false,
    p_now);
end
$$;

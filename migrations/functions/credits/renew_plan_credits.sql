-- renew_plan_credits: Replaces a plan's credits of the period that has ended with those of the next one.
--
-- Usually, a renewal of a subscription that grants credits changes nothing else.
--
-- Takes     The subscription that the plan was bought with, and what its plan version grants each period: an
--           amount of one unit, which does not roll over.
-- Promises  Has the same result as recompute_entitlement. Applies only if the account is due because this
--           subscription's period ended, and the wallet has the plan's credits of that period and no others,
--           or none. Returns the user, the unit and its balance with the version. If there may be more to
--           do, returns null and changes nothing.
-- Locks     The account, then the wallet.

create or replace function renew_plan_credits(
  p_user_id         text,
  p_subscription_id text,
  p_unit            text,
  p_amount          bigint,
  p_now             timestamptz
)
returns jsonb
language plpgsql
as $$
declare
  v_starts           timestamptz;
  v_anchor           timestamptz;
  v_plan             text;
  v_head_id          bigint;
  v_left             bigint;
  v_period           record;
  v_grant_id         bigint;
  v_seq              bigint;
  v_version          bigint;
  v_has_app_webhooks boolean;
begin
  select a.due_at, e.anchor, e.plan, w.head_id, w.balance
  into v_starts, v_anchor, v_plan, v_head_id, v_left
  from accounts a
  join entitlements e on e.user_id = a.id
  join wallets w on w.user_id = a.id and w.unit = p_unit
  left join credit_grants g on g.id = w.head_id
  where a.id = p_user_id
    and a.retry_at is null
    and a.catalog_epoch = (
      select epoch
      from catalog_state)
    and e.subscription_id = p_subscription_id
    and e.status = 'active'
    and (w.balance = 0 and w.head_id is null
      or w.balance = w.head_left and w.head_ends = a.due_at and g.kind = 'plan')
    and not exists (
      select 1
      from wallets other
      where other.user_id = a.id
        and other.unit <> p_unit)
  for update of a, w;

  if not found then
    return null;
  end if;

  v_period := period_at('billing_period', v_anchor, p_now);
  if v_period.starts_at <> v_starts then
    return null;
  end if;

  insert into credit_grants (
    user_id, unit, kind, amount, remaining, priority, expires_at, period_start, period_end, created_at)
  values (
    p_user_id, p_unit, 'plan', p_amount, p_amount, 50, v_period.ends_at, v_starts, v_period.ends_at, p_now)
  on conflict (user_id, period_start, unit) where period_start is not null do nothing
  returning id into v_grant_id;

  if not found then
    return null;
  end if;

  if v_head_id is not null then
    update credit_grants
    set remaining = 0,
        amount = amount - v_left
    where id = v_head_id;
  end if;

  update wallets
  set seq = seq + 1 + (v_left > 0)::integer,
      version = greatest(version + 1, (extract(epoch from p_now) * 1000)::bigint),
      due_at = v_period.ends_at,
      balance = p_amount,
      topped_up = p_amount,
      notice_at = p_amount / 5,
      head_id = v_grant_id,
      head_left = p_amount,
      head_ends = v_period.ends_at,
      also_expiring = 0
  where user_id = p_user_id
    and unit = p_unit
  returning
    seq,
    version,
    (
      select has_app_webhooks
      from catalog_state
    )
  into v_seq, v_version, v_has_app_webhooks;

  insert into credit_transactions (user_id, unit, seq, delta, balance_after, kind, reason, created_at)
  select p_user_id, p_unit, entry.seq, entry.delta, entry.balance_after, entry.kind, entry.reason, p_now
  from (
    values
      (v_seq - 1, -v_left, 0::bigint, 'expiry', null),
      (v_seq, p_amount, p_amount, 'plan', v_plan)
  ) entry (seq, delta, balance_after, kind, reason)
  where entry.delta <> 0;

  update accounts
  set due_at = v_period.ends_at
  where id = p_user_id;

  if v_has_app_webhooks then
    perform enqueue_app_webhook(p_user_id, 'entitlement.updated', null, null, p_now);
  end if;

  return jsonb_build_object(
    'user_id', p_user_id,
    'unit', p_unit,
    'balance', jsonb_build_object(
      'version', v_version,
      'value', jsonb_build_object(
        'balance', p_amount,
        'expires_at', v_period.ends_at,
        'expiring', p_amount)));
end
$$;

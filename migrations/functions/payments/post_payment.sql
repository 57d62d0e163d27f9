-- post_payment: Posts the ledger entries that follow from a payment's facts.
--
-- Promises  A paid pack gives its credits to one user, for one payment. Refunds and disputes take them back
--           in proportion to the amount, rounded in the user's favour. Only the difference to earlier entries
--           is posted, so event order does not matter. Expired credits of the payment are reinstated before
--           they are taken back: a user does not owe credits that were never spent. A reversed clawback first
--           gives back what it borrowed.
-- Locks     The user's wallets. The caller holds the account.
-- Races     Callers take turns. Facts that a caller cannot see yet are posted by the call that writes them.

create or replace function post_payment(p_payment_id text, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_sold   record;
  v_part   record;
  v_taken  bigint;
  v_back   record;
  v_grant  credit_grants;
begin
  select p.amount_minor, credited_user(p.id) as credited_id, payment_totals(p) as totals,
         s.id as session_id, s.created_at, v.unit, v.credits * s.quantity as credits,
         coalesce(
           s.created_at + make_interval(hours => 24 * v.expires_after_days), 'infinity') as expires_at
  into v_sold
  from payments p
  join checkout_sessions s on s.id = p.session_id
  join credit_pack_versions v on v.pack = s.pack and v.version = s.pack_version
  where p.id = p_payment_id
    and s.mode = 'payment'
    and s.status = 'complete'
    and s.payment_status in ('paid', 'no_payment_required');

  if v_sold.session_id is null
     or v_sold.credited_id <> p_user_id
     or v_sold.credited_id is null
     and is_credited(v_sold.session_id, v_sold.created_at, v_sold.unit, p_user_id)
  then
    return;
  end if;

  perform open_wallets(p_user_id);
  v_taken := clawback_amount(
    v_sold.credits, v_sold.amount_minor, (v_sold.totals ->> 'refunded_minor')::bigint);

  for v_part in
    select due.kind, due.credits - coalesce(posted.credits, 0) as difference, posted.times
    from (
      values
        (1, 'purchase', v_sold.credits),
        (2, 'refund', -v_taken),
        (3, 'dispute', v_taken - clawback_amount(
          v_sold.credits,
          v_sold.amount_minor,
          (v_sold.totals ->> 'refunded_minor')::bigint
            + (v_sold.totals ->> 'disputed_minor')::bigint))
    ) due (place, kind, credits)
    cross join lateral (
      select sum(delta)::bigint as credits, count(*) as times
      from credit_transactions
      where payment_id = p_payment_id
        and kind = due.kind
    ) posted
    where due.credits <> coalesce(posted.credits, 0)
    -- Credits are added before others are taken back, which then leaves no needless debt.
    order by due.credits < coalesce(posted.credits, 0), due.place
  loop
    v_grant.user_id := p_user_id;
    v_grant.unit := v_sold.unit;
    v_grant.kind := 'purchase';
    v_grant.amount := v_part.difference;
    v_grant.priority := 50;
    v_grant.expires_at := v_sold.expires_at;
    v_grant.payment_id := p_payment_id;
    if v_part.difference > 0 then
      v_back := reverse_clawback(v_grant, amount_owed(p_user_id, v_sold.unit));
      v_grant.amount := v_back.amount;
      if v_back.amount > 0 then
        perform add_to_grant(v_grant, v_back.owed, p_now);
      end if;
    else
      -- A purchase may have no grant of its own yet.
      v_grant.amount := 0;
      perform add_to_grant(v_grant, 0, p_now);
      perform reinstate_expired(v_grant, -v_part.difference, p_now);
      perform consume_grants(p_user_id, v_sold.unit, -v_part.difference, p_payment_id);
    end if;

    perform post_to_ledger(
      p_user_id,
      v_sold.unit,
      v_part.difference,
      v_part.kind,
      jsonb_build_object(
        'source', format('%s:%s:%s', p_payment_id, v_part.kind, v_part.times + 1),
        'session_id', v_sold.session_id,
        'payment_id', p_payment_id),
      p_now);
  end loop;
end
$$;

-- is_credited: Returns whether the credits of a session were already granted without this payment.
--
-- Promises  True if the session was credited for another payment, or is older than the user's opening
--           balance, which includes its credits.
-- Locks     The caller holds the account.

create or replace function is_credited(
  p_session_id text,
  p_created_at timestamptz,
  p_unit       text,
  p_user_id    text
)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from credit_transactions
    where stripe_session_id = p_session_id
  ) or exists (
    select 1
    from credit_transactions
    where source = opening_source(p_user_id, p_unit)
      -- Stripe's times are whole seconds.
      and date_trunc('second', created_at) > p_created_at
  );
end
$$;

-- clawback_amount: Returns how many credits to take back when part of their price is refunded or disputed.
--
-- Promises  In proportion, rounded in the user's favour. All of them for the whole price or more, and none if
--           nothing was paid.

create or replace function clawback_amount(
  p_credits      bigint,
  p_amount_minor bigint,
  p_gone_minor   bigint
)
returns bigint
language sql
immutable
as $$
  select coalesce(
    floor(p_credits::numeric * least(p_gone_minor, p_amount_minor) / nullif(p_amount_minor, 0)),
    0)::bigint
$$;

-- reverse_clawback: Gives back the credits that a refund or a dispute took from other grants.
--
-- Takes     In `p_credits`: the payment, and the credits that come back. In `p_owed`: the user's whole debt
--           (amount_owed), which is paid first.
-- Promises  The credits first pay the debt from clawbacks. Then they go to the grants that clawbacks took
--           from (`lent`), the last to expire first, for whichever payment: the credits that stay lent are
--           those that would be spent first. Credits of an expired grant expire again. Returns what is left
--           for the payment's own grant, and what is still owed.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function reverse_clawback(
  p_credits  credit_grants,
  p_owed     bigint,
  out amount bigint,
  out owed   bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_debt   bigint := owed_for_clawbacks(p_credits.user_id, p_credits.unit);
  v_left   bigint := (
    select least(borrowed, p_credits.amount)
    from credit_grants
    where payment_id = p_credits.payment_id);
  v_owed   bigint := p_owed;
  v_paid   bigint;
  v_back   bigint;
  v_lender record;
begin
  v_left := coalesce(v_left, 0);
  amount := p_credits.amount - v_left;
  update credit_grants
  set borrowed = borrowed - v_left
  where payment_id = p_credits.payment_id
    and v_left > 0;

  v_paid := least(v_left, v_debt, v_owed);
  v_owed := v_owed - v_paid;
  v_left := v_left - v_paid;

  for v_lender in
    select id, lent
    from credit_grants
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and lent > 0
    order by expires_at desc, priority desc, id desc
  loop
    exit when v_left = 0;

    v_back := least(v_lender.lent, v_left);
    v_left := v_left - v_back;
    v_paid := least(v_back, v_owed);
    v_owed := v_owed - v_paid;
    update credit_grants
    set lent = lent - v_back,
        remaining = remaining + v_back - v_paid,
        amount = greatest(amount, remaining + v_back - v_paid)
    where id = v_lender.id;
  end loop;

  amount := amount + v_left;
  owed := v_owed;
end
$$;

-- reinstate_expired: Reinstates expired credits of a payment before they are taken back with its money.
--
-- Promises  At most `p_amount`, with a separate ledger entry. So a refund has the same result before and
--           after the credits expire.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function reinstate_expired(
  p_grant credit_grants,
  p_amount bigint,
  p_now    timestamptz
)
returns void
language plpgsql
as $$
declare
  v_amount bigint := (
    select least(p_amount, coalesce(-sum(delta), 0))
    from credit_transactions
    where payment_id = p_grant.payment_id
      and kind = 'expiry');
  v_grant credit_grants := p_grant;
begin
  if v_amount > 0 then
    v_grant.amount := v_amount;
    v_grant := add_to_grant(v_grant, amount_owed(v_grant.user_id, v_grant.unit), p_now);
    perform post_to_ledger(
      v_grant.user_id,
      v_grant.unit,
      v_amount,
      'expiry',
      jsonb_build_object('payment_id', v_grant.payment_id),
      p_now);
  end if;
end
$$;

-- post_payment: brings the ledger to what a payment's facts imply.
--
-- Promises  A paid pack gives its credits, to one user and for one payment; what is refunded or disputed
--           takes them back in proportion, rounded in the user's favour, and all of them with the whole.
--           Only the difference to what was posted before is posted, so that the facts and not their
--           order decide what a user has. What has expired meanwhile is taken back first: nobody owes
--           credits that went unspent. What is given back goes first to those who lent it.
-- Locks     The caller holds the account's row.
-- Races     The user's row puts callers in line; facts that a caller cannot see yet are posted by
--           whoever is writing them.

create or replace function post_payment(p_payment_id text, p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_sold   record;
  v_part   record;
  v_taken  bigint;
  v_back   record;
  v_grant credit_grants;
begin
  select p.amount_minor, credited_user(p.id) as credited_id, payment_totals(p) as standing,
         s.id as session_id, s.created_at, v.unit, v.credits * s.quantity as credits,
         s.created_at + make_interval(hours => 24 * v.expires_after_days) as expires_at
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

  v_taken := clawback_amount(
    v_sold.credits, v_sold.amount_minor, (v_sold.standing ->> 'refunded_minor')::bigint);

  for v_part in
    select due.kind, due.credits - coalesce(posted.credits, 0) as difference, posted.times
    from (
      values
        (1, 'purchase', v_sold.credits),
        (2, 'refund', -v_taken),
        (3, 'dispute', v_taken - clawback_amount(
          v_sold.credits,
          v_sold.amount_minor,
          (v_sold.standing ->> 'refunded_minor')::bigint
            + (v_sold.standing ->> 'disputed_minor')::bigint))
    ) due (place, kind, credits)
    cross join lateral (
      select sum(delta)::bigint as credits, count(*) as times
      from credit_transactions
      where payment_id = p_payment_id
        and kind = due.kind
    ) posted
    where due.credits <> coalesce(posted.credits, 0)
    -- What goes makes no debt of what comes.
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
      -- Of what was bought before there were buckets there is none yet.
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

-- is_credited: whether what a session sold was given before, though not for this payment.
--
-- Promises  True if the session was paid with another payment, and if it is older than the balance with
--           which the user came from another system: that balance holds its credits.
-- Locks     The caller holds the account's row.

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
    where user_id = p_user_id
      and unit = p_unit
      and kind = 'opening'
      -- Stripe's times are whole seconds.
      and date_trunc('second', created_at) > p_created_at
  );
end
$$;

-- clawback_amount: how many credits go when part of what was paid for them goes.
--
-- Promises  In proportion, rounded in the user's favour; all of them for the whole price or more, none
--           where nothing was paid.

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

-- reverse_clawback: gives back what a refund or a dispute took that was not its own payment's.
--
-- Promises  What is still owed for payments is owed no more; then to the buckets that have lent, the last to
--           expire first, whoever borrowed of them: what stays borrowed is what would be spent first. A
--           bucket that has expired expires anew. Answers what is left for the payment's own bucket, and
--           what is still owed.
-- Takes     In `p_credits`: the payment, and how much of it comes back. In `p_owed`: what the user owes in
--           all (amount_owed), which is paid first.
-- Locks     The caller holds the account's row.

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

  while v_left > 0 loop
    select id, lent
    into v_lender
    from credit_grants
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and lent > 0
    order by expires_at desc, priority desc, id desc
    limit 1;

    exit when not found;

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

-- reinstate_expired: brings back what expired of a payment's credits, before they are taken with its money.
--
-- Promises  At most so many, in a row of the ledger of its own. So a refund comes to the same before they
--           expire and after it.
-- Locks     The caller holds the account's row.

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
      jsonb_build_object('source', grant_source(v_grant, 'expiry'), 'payment_id', v_grant.payment_id),
      p_now);
  end if;
end
$$;

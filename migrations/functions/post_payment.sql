-- internal: called by our functions, not by farebox_app.
--
-- post_payment: brings the ledger to what a payment's facts imply.
--
-- Promises  A paid pack gives its credits, to one user and for one payment; what is refunded or disputed
--           takes them back in proportion, rounded in the user's favour, and all of them with the whole.
--           Only the difference to what was posted before is posted, so that the facts and not their
--           order decide what a user has. What has expired meanwhile is taken back first: nobody owes
--           credits that went unspent. What is given back goes first to those who lent it.
-- Locks     None of its own: the caller holds the user's row.
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
  v_bucket credit_buckets;
begin
  select p.amount_minor, credited_user(p.id) as credited_id, payment_standing(p) as standing,
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

  v_taken := credits_taken_back(
    v_sold.credits, v_sold.amount_minor, (v_sold.standing ->> 'refunded_minor')::bigint);

  for v_part in
    select due.kind, due.credits - coalesce(posted.credits, 0) as difference, posted.times
    from (
      values
        (1, 'purchase', v_sold.credits),
        (2, 'refund', -v_taken),
        (3, 'dispute', v_taken - credits_taken_back(
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
    v_bucket.user_id := p_user_id;
    v_bucket.unit := v_sold.unit;
    v_bucket.kind := 'purchase';
    v_bucket.amount := v_part.difference;
    v_bucket.priority := 50;
    v_bucket.expires_at := v_sold.expires_at;
    v_bucket.payment_id := p_payment_id;
    if v_part.difference > 0 then
      v_back := return_loans(v_bucket, credits_owed(p_user_id, v_sold.unit));
      v_bucket.amount := v_back.amount;
      if v_back.amount > 0 then
        perform fill_bucket(v_bucket, v_back.owed, p_now);
      end if;
    else
      -- Of what was bought before there were buckets there is none yet.
      v_bucket.amount := 0;
      perform fill_bucket(v_bucket, 0, p_now);
      perform bring_back_expired(v_bucket, -v_part.difference, p_now);
      perform burn_credits(p_user_id, v_sold.unit, -v_part.difference, p_payment_id);
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

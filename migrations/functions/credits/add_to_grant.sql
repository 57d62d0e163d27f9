-- add_to_grant: puts credits that come in where they are spent from.
--
-- Promises  Into the bucket that their payment or their period has already, else into one of its own. What
--           is owed (amount_owed) is not put in: it has been spent, or is lent to the payment that it was
--           owed for. Call it before they are posted. What comes back to a payment's bucket was in its
--           amount before. Whoever has credits that expire is looked at when they do. Answers the bucket.
-- Locks     The caller holds the account's row.

create or replace function add_to_grant(p_credits credit_grants, p_owed bigint, p_now timestamptz)
returns credit_grants
language plpgsql
as $$
declare
  v_paid   bigint := least(p_credits.amount, p_owed);
  v_kept   bigint := p_credits.amount - v_paid;
  v_grant credit_grants;
begin
  update credit_grants
  set amount = case
        when kind = 'plan' then amount + p_credits.amount
        -- Of what was bought before there were buckets, part may be in another.
        else greatest(amount, remaining + v_kept)
      end,
      remaining = remaining + v_kept
  where user_id = p_credits.user_id
    and unit = p_credits.unit
    and (payment_id = p_credits.payment_id or kind = 'plan' and period_start = p_credits.period_start)
  returning * into v_grant;

  if not found then
    insert into credit_grants (
      user_id, unit, kind, amount, remaining, priority, expires_at, payment_id, period_start,
      period_end, created_at)
    values (
      p_credits.user_id, p_credits.unit, p_credits.kind, p_credits.amount, v_kept, p_credits.priority,
      p_credits.expires_at, p_credits.payment_id, p_credits.period_start,
      p_credits.period_end, p_now)
    returning * into v_grant;
  end if;

  if v_paid > 0 then
    update credit_grants
    set lent = lent + least(v_paid, owed_for_clawbacks(user_id, unit))
    where id = v_grant.id;
  end if;

  update accounts
  set due_at = v_grant.expires_at
  where id = p_credits.user_id
    and due_at > v_grant.expires_at;

  return v_grant;
end
$$;

-- add_to_grant: Adds credits to the grant that they are spent from.
--
-- Promises  Credits of a payment or of a plan's period go into its grant. Other credits go into the latest
--           open grant with the same expiry and priority, if it has the same kind. Otherwise it creates a
--           grant. The part that pays a debt (`p_owed`, see amount_owed) is not added to `remaining`: the
--           user has spent it before, or `lent` records it for the payment that owes it. The account is due
--           no later than the credits expire. Returns the grant. Call it before the credits are posted.
-- Locks     The caller holds the account and has opened the wallets.

create or replace function add_to_grant(p_credits credit_grants, p_owed bigint, p_now timestamptz)
returns credit_grants
language plpgsql
as $$
declare
  v_paid    bigint := least(p_credits.amount, p_owed);
  v_kept    bigint := p_credits.amount - v_paid;
  v_same_id bigint;
  v_grant   credit_grants;
begin
  if p_credits.payment_id is not null then
    select id
    into v_same_id
    from credit_grants
    where payment_id = p_credits.payment_id;
  elsif p_credits.period_start is not null then
    select id
    into v_same_id
    from credit_grants
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and period_start = p_credits.period_start;
  else
    select case when kind = p_credits.kind and payment_id is null then id end
    into v_same_id
    from credit_grants
    where user_id = p_credits.user_id
      and unit = p_credits.unit
      and is_open
      and expires_at = p_credits.expires_at
      and priority = p_credits.priority
    order by id desc
    limit 1;
  end if;

  if v_same_id is not null then
    update credit_grants
    set amount = case
          -- A payment's credits may be in another grant, if they were granted before it was known.
          when payment_id is not null then greatest(amount, remaining + v_kept)
          else amount + p_credits.amount
        end,
        remaining = remaining + v_kept
    where id = v_same_id
    returning * into v_grant;
  else
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

  if v_grant.expires_at < 'infinity' then
    update accounts
    set due_at = v_grant.expires_at
    where id = p_credits.user_id
      and due_at > v_grant.expires_at;
  end if;

  return v_grant;
end
$$;

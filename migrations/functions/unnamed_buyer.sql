-- internal: called by our functions, not by farebox_app.
--
-- unnamed_buyer: whether facts that were applied are of something of the catalog that was bought, and of
-- whose buyer nothing says which user that is.
--
-- Promises  Null if they are not. Else how that comes, in the same words for the same purchase.
-- Locks     None.
-- Races     None: one statement sees one state.

create or replace function unnamed_buyer(p_facts jsonb)
returns text
language plpgsql
stable
as $$
declare
  v_bought record;
begin
  if not coalesce(p_facts ?| array['subscription', 'session'], false) then
    return null;
  end if;

  select bought.*, p_facts -> 'session' ->> 'reference' as reference
  into v_bought
  from (
    select format('subscription %s to the plan %s', s.id, s.plan) as what, s.customer_id
    from subscriptions s
    where s.id in (
        p_facts -> 'subscription' ->> 'id',
        p_facts -> 'session' ->> 'subscription')
      and s.user_id is null
      and s.plan is not null
      and s.status in ('active', 'trialing', 'past_due')
    union all
    select format('session %s, which sold %s of the pack %s', s.id, s.quantity, s.pack), s.customer_id
    from checkout_sessions s
    left join payments p on p.id = coalesce(s.payment_intent_id, s.id)
    where s.id = p_facts -> 'session' ->> 'id'
      and s.user_id is null
      and p.user_id is null
      and s.pack is not null
      and s.mode = 'payment'
      and s.status = 'complete'
      and s.payment_status in ('paid', 'no_payment_required')
  ) bought
  where not exists (
    select 1
    from stripe_customers c
    where c.id = bought.customer_id
      and c.user_id is not null)
  limit 1;

  return case
    when v_bought.what is null then null
    when v_bought.reference is not null then format(
      'unnamed buyer: %s. Only client_reference_id names its user, and anyone who opens a payment link '
      'can write that: set STRIPE_TRUST_CLIENT_REFERENCE_ID if your own pages write it, or userId in the '
      'metadata of customer %s',
      v_bought.what, coalesce(v_bought.customer_id, 'none'))
    else format(
      'unnamed buyer: %s. Its metadata has no userId, and neither has that of customer %s',
      v_bought.what, coalesce(v_bought.customer_id, 'none'))
  end;
end
$$;

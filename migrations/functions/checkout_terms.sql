-- internal: called by our functions, not by farebox_app.
--
-- checkout_terms: what a user would buy, as it is sold now, or why they may not.
--
-- Promises  Answers the terms of the session, or refuses (FB005). A subscription is sold to who has
--           none that lives, with a trial once per user.
-- Locks     None of its own: the caller holds the user's row, without which two calls could both find
--           that there is no subscription.
-- Races     A catalog published meanwhile: the terms are those of one version, whole.

create or replace function checkout_terms(p_user_id text, p_request jsonb, p_now timestamptz)
returns jsonb
language plpgsql
stable
as $$
declare
  v_quantity bigint := coalesce((p_request ->> 'quantity')::bigint, 1);
  v_currency text := p_request ->> 'currency';
  v_plan     record;
  v_pack     record;
begin
  if p_request ->> 'mode' = 'payment' then
    select p.pack, p.version, p.stripe_price_id, p.credits, p.max_quantity, p.promotion_codes, p.unit,
           p.currency_amounts || jsonb_build_object(p.currency, p.amount_minor) as amounts,
           p.currency
    into v_pack
    from current_packs c
    join credit_pack_versions p using (pack, version)
    where c.pack = p_request ->> 'pack';

    if v_pack.stripe_price_id is null then
      perform refuse_input('unknown_pack');
    end if;
    if not v_pack.amounts ? v_currency then
      perform refuse_input('unknown_currency');
    end if;
    perform refuse_too_many(v_pack.amounts, coalesce(v_currency, v_pack.currency), v_quantity);
    if v_quantity > v_pack.max_quantity then
      perform refuse_input(
        'above_max_quantity', jsonb_build_object('max_quantity', v_pack.max_quantity));
    end if;
    if v_pack.credits::numeric * v_quantity + coalesce(
      (
        select balance
        from credit_balances
        where user_id = p_user_id
          and unit = v_pack.unit
      ), 0) > 1000000000000000
    then
      perform refuse_input('too_many_credits');
    end if;

    return p_request || jsonb_build_object(
      'price', v_pack.stripe_price_id,
      'pack_version', v_pack.version,
      'promotion_codes', v_pack.promotion_codes,
      'quantity', v_quantity);
  end if;

  perform refuse_second_subscription(p_user_id);

  select *
  into v_plan
  from plan_on_sale(
    p_request ->> 'plan', p_request ->> 'interval', v_currency, v_quantity);

  return p_request || jsonb_build_object(
    'price', v_plan.price_id,
    'plan_version', v_plan.version,
    'quantity', v_quantity,
    'trial_days', case when has_had_trial(p_user_id) then 0 else v_plan.trial_days end);
end
$$;

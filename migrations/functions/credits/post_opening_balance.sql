-- post_opening_balance: Posts the credits that a user brings from another system.
--
-- Promises  One ledger entry for each user and unit, however often this is called. Another amount for the
--           same user and unit, and an unknown unit, are refused with FB005. Returns the user's entitlement;
--           null if nothing was posted.
-- Locks     The account (ensure_account), then the user's wallets.

create or replace function post_opening_balance(
  p_user_id permitted_user,
  p_unit    text,
  p_credits bigint,
  p_now     call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_result text;
  v_grant   credit_grants;
begin
  if p_credits is null then
    perform refuse_amount(p_credits);
  end if;

  perform ensure_account(p_user_id, p_now);

  -- A separate statement, which sees what the previous holder of the lock posted.
  v_result := compare_opening_balance(p_user_id, p_unit, p_credits);

  if v_result = 'same' then
    return null;
  end if;
  if v_result = 'unknown_unit' then
    perform refuse_input('unknown_unit');
  elsif v_result <> 'new' then
    perform refuse_input('opening_balance_taken');
  end if;

  -- An import is no news to the app.
  perform set_config('farebox.quiet', 'true', true);
  perform open_wallets(p_user_id);

  if p_credits > 0 then
    v_grant.user_id := p_user_id;
    v_grant.unit := p_unit;
    v_grant.kind := 'opening';
    v_grant.amount := p_credits;
    v_grant.priority := 50;
    v_grant.expires_at := 'infinity';
    perform add_to_grant(v_grant, amount_owed(p_user_id, p_unit), p_now);
  else
    perform consume_grants(p_user_id, p_unit, -p_credits, null);
  end if;

  perform post_to_ledger(
    p_user_id, p_unit, p_credits, 'opening',
    jsonb_build_object('source', opening_source(p_user_id, p_unit)), p_now);

  perform recompute_entitlement(p_user_id, p_now);
  perform set_config('farebox.quiet', '', true);

  return entitlement_view(p_user_id, p_now);
end
$$;

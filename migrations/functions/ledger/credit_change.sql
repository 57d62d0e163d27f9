-- credit_change: what whoever moved credits is answered, and what the cache is told.
--
-- Promises  `transaction` says the same whenever it is asked for; `unit_view` and `version` what is so now.

create or replace function credit_change(p_row credit_transactions)
returns jsonb
language plpgsql
stable
as $$
declare
  v_now record;
begin
  select u.entitlement_version as version, b.balance
  into v_now
  from accounts u
  join credit_balances b on b.user_id = u.id
  where u.id = p_row.user_id
    and b.unit = p_row.unit;

  return jsonb_build_object(
    'user_id', p_row.user_id,
    'version', v_now.version,
    'unit', p_row.unit,
    'unit_view', unit_view(p_row.user_id, p_row.unit, v_now.balance),
    'transaction', transaction_view(p_row));
end
$$;

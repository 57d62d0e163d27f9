-- transaction_view: one row of the ledger, as its user sees it.
--
-- Promises  Says nothing of whose it is. Runs with its caller's rights.

create or replace function transaction_view(p_row credit_transactions)
returns jsonb
language plpgsql
immutable
as $$
begin
  return jsonb_build_object(
    'id', p_row.id,
    'kind', p_row.kind,
    'unit', p_row.unit,
    'amount', p_row.delta,
    'balance', p_row.balance_after,
    'reason', p_row.reason,
    'metadata', p_row.metadata,
    'session_id', p_row.stripe_session_id,
    'created_at', p_row.created_at);
end
$$;

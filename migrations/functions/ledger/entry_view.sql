-- entry_view: Returns a ledger entry in the form that the API returns.
--
-- Promises  Does not name the owner. Runs with its caller's rights.

create or replace function entry_view(p_entry credit_transactions)
returns jsonb
language plpgsql
stable
as $$
begin
  return jsonb_build_object(
    'id', p_entry.unit || ':' || p_entry.seq,
    'kind', p_entry.kind,
    'unit', p_entry.unit,
    'amount', p_entry.delta,
    'balance', p_entry.balance_after,
    'reason', p_entry.reason,
    'metadata', p_entry.metadata,
    'session_id', p_entry.stripe_session_id,
    'created_at', p_entry.created_at,
    'actor_id', p_entry.actor_id);
end
$$;

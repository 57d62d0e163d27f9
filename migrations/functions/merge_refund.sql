-- internal: called by our functions, not by farebox_app.
--
-- merge_refund: what is known of one refund.
--
-- Promises  One that failed or was canceled stays so, one that succeeded is not pending again.
-- Locks     The refund's row. The caller holds the payment's.
-- Races     The payment's row puts callers in line.

create or replace function merge_refund(p_payment_id text, p_refund jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into refunds as old (id, payment_id, amount_minor, status, updated_at)
  values (
    p_refund ->> 'id',
    p_payment_id,
    coalesce((p_refund ->> 'amount')::bigint, 0),
    coalesce(p_refund ->> 'status', 'pending'),
    p_now)
  on conflict (id) do update
  set amount_minor = greatest(old.amount_minor, excluded.amount_minor),
      status = case
        when old.status in ('failed', 'canceled') then old.status
        when excluded.status in ('failed', 'canceled') then excluded.status
        else greatest(old.status, excluded.status)
      end,
      updated_at = p_now;
end
$$;

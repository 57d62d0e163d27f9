-- internal: called by our functions, not by farebox_app.
--
-- merge_dispute: what is known of one dispute.
--
-- Promises  A decision stands; else the later word counts.
-- Locks     The dispute's row. The caller holds the payment's.
-- Races     The payment's row puts callers in line.

create or replace function merge_dispute(p_payment_id text, p_event jsonb, p_now timestamptz)
returns void
language plpgsql
as $$
begin
  insert into disputes as old (
    id, payment_id, amount_minor, currency, status, reason, heard_at, heard_event, updated_at)
  select
    fact ->> 'id',
    p_payment_id,
    coalesce((fact ->> 'amount')::bigint, 0),
    fact ->> 'currency',
    coalesce(fact ->> 'status', 'needs_response'),
    fact ->> 'reason',
    to_timestamp((p_event ->> 'created')::bigint),
    p_event ->> 'heard',
    p_now
  from (select p_event -> 'facts' -> 'dispute' as fact) told
  on conflict (id) do update
  set amount_minor = greatest(old.amount_minor, excluded.amount_minor),
      status = excluded.status,
      reason = coalesce(excluded.reason, old.reason),
      heard_at = excluded.heard_at,
      heard_event = excluded.heard_event,
      updated_at = p_now
  where (is_decided(excluded.status), excluded.heard_at, excluded.heard_event collate "C")
        > (is_decided(old.status), old.heard_at, old.heard_event collate "C");
end
$$;

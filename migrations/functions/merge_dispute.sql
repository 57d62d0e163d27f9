-- internal: called by our functions, not by farebox_app.
--
-- merge_dispute: what is known of one dispute.
--
-- Promises  A decision stands; else the later word counts. The greatest amount that was named counts, and
--           what one event leaves out another says, in whatever order they come.
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
      -- Of one that is null `greatest` answers the other.
      currency = greatest(old.currency collate "C", excluded.currency collate "C"),
      (status, reason, heard_at, heard_event) = (
        select later.status,
               coalesce(later.reason, old.reason, excluded.reason),
               later.heard_at,
               later.heard_event
        from (
          values
            (old.status, old.reason, old.heard_at, old.heard_event),
            (excluded.status, excluded.reason, excluded.heard_at, excluded.heard_event)
        ) later (status, reason, heard_at, heard_event)
        order by is_decided(later.status) desc, later.heard_at desc,
                 later.heard_event collate "C" desc
        limit 1),
      updated_at = p_now;
end
$$;

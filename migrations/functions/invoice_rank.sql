-- internal: called by our functions, not by farebox_app.
--
-- invoice_rank: how far an invoice is in its life.
--
-- Promises  Of two things said of an invoice, the one of the greater rank was said later. Null for a
--           status that is not known.
-- Locks     None.
-- Races     None.

create or replace function invoice_rank(p_status text)
returns integer
language sql
immutable
as $$
  select array_position(array['draft', 'open', 'uncollectible', 'void', 'paid'], p_status)
$$;

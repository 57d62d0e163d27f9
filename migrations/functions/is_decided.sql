-- internal: called by our functions, not by farebox_app.
--
-- is_decided: whether a dispute is over.
--
-- Promises  True for the statuses after which Stripe moves no money any more.
-- Locks     None.
-- Races     None.

create or replace function is_decided(p_status text)
returns boolean
language sql
immutable
as $$
  select p_status in ('won', 'lost', 'warning_closed', 'prevented')
$$;

-- internal: called by our functions, not by farebox_app.
--
-- change_direction: whether a change of plan, interval or seats is one up, one down or none.
--
-- Promises  The plan decides; of the same plan the longer interval is the greater commitment; then the
--           seats. What is up is paid for now; what is down waits for the end of what was paid.
-- Locks     None.
-- Races     None.

create or replace function change_direction(
  p_by_rank     integer,
  p_by_days     integer,
  p_by_quantity bigint
)
returns text
language sql
immutable
as $$
  select case sign(coalesce(nullif(p_by_rank, 0), nullif(p_by_days, 0), p_by_quantity))
    when 1 then 'upgrade'
    when -1 then 'downgrade'
    else 'none'
  end
$$;

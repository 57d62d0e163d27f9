-- internal: called by our functions, not by farebox_app.
--
-- interval_days: how long a billing interval is, to compare it with another; never to count dates.
--
-- Promises  Null for an interval we do not know.
-- Locks     None.
-- Races     None.

create or replace function interval_days(p_interval text)
returns integer
language sql
immutable
as $$
  select case p_interval
    when 'weekly' then 7
    when 'monthly' then 30
    when 'quarterly' then 91
    when 'yearly' then 365
  end
$$;

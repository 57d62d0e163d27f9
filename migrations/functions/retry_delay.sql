-- internal: called by our functions, not by farebox_app.
--
-- retry_delay: how long to wait after an event failed for that many times.
--
-- Promises  Null once it is for a person to look.
-- Locks     None.
-- Races     None.

create or replace function retry_delay(p_attempts integer)
returns interval
language sql
immutable
as $$
  select (array[
    interval '1 minute', interval '5 minutes', interval '30 minutes', interval '2 hours',
    interval '6 hours', interval '12 hours', interval '24 hours'
  ])[p_attempts]
$$;

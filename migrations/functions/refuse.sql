-- internal: called by our functions, not by farebox_app.
--
-- refuse: says that something may not be, and undoes whatever this call has done so far.
--
-- Promises  Never returns: FB005, with a word for why that the caller explains.
-- Locks     None.
-- Races     None.

create or replace function refuse(p_why text)
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'FB005',
    message = p_why;
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- refuse_erased: says that whatever this is about went with a user who was deleted.
--
-- Promises  Never returns: FB001.
-- Locks     None.
-- Races     None.

create or replace function refuse_erased()
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'FB001',
    message = 'this user was erased';
end
$$;

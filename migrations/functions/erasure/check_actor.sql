-- check_actor: Refuses a call by a member who was erased, and keeps an erasure waiting for its end.
--
-- Takes     The member who acts for an organisation; null if the owner acts.
-- Promises  Nothing for null. An erased member is refused with FB001. After the erasure of a member, no row
--           of an organisation names them.
-- Locks     The member's id, shared, by an advisory lock: a member may have no account to lock. It comes
--           before every other lock.
-- Races     An erasure of the member waits for the calls that hold the lock, and then finds their rows. A
--           call that waits for the erasure is refused.

create or replace function check_actor(p_actor_id text)
returns void
language plpgsql
as $$
begin
  if p_actor_id is null then
    return;
  end if;

  perform pg_advisory_xact_lock_shared(hashtextextended(p_actor_id, 0));

  if is_erased(p_actor_id) then
    perform refuse('account_erased');
  end if;
end
$$;

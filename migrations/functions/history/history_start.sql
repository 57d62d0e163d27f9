-- history_start: Returns the time after which a user's history begins.
--
-- Promises  Entries up to then are deleted, or older than the user's plan keeps them. No call returns one,
--           even while the daily job has not removed its row. -infinity if there are none. Runs with its
--           caller's rights.

create or replace function history_start(p_user_id permitted_user, p_now call_time)
returns timestamptz
language plpgsql
stable
as $$
begin
  return (
    select greatest('-infinity', c.deleted_through, p_now - terms.keep)
    from history_terms(p_user_id) terms
    left join history_counters c
      on c.user_id = p_user_id);
end
$$;

-- enqueue: writes down what others have yet to be told.
--
-- Promises  Once a key: an e-mail or a refetch that was written down before stays as it is. `identity`
--           and `cache` tell what is current, in one row a user, so that news arms the row anew: its
--           generation grows, and while it still waits it is due no later than it was.
-- Locks     The row of that key, unless it stays as it is.
-- Races     A worker that is at the row keeps its lease, so that nobody overtakes it; what it tells is
--           an older generation, and the row is told again after it.

create or replace function enqueue(
  p_kind    text,
  p_key     text,
  p_user_id text,
  p_payload jsonb,
  p_due     timestamptz,
  p_now     timestamptz
)
returns void
language plpgsql
as $$
begin
  insert into outbox (kind, key, user_id, payload, created_at, due_at)
  values (p_kind, p_key, p_user_id, coalesce(p_payload, '{}'), p_now, p_due)
  on conflict (key) do nothing;

  if found or p_kind not in ('identity', 'cache') then
    return;
  end if;

  update outbox
  set generation = generation + 1,
      due_at = case
        when done_at is null and failed_at is null then least(due_at, p_due)
        else p_due
      end,
      attempts = 0,
      done_at = null,
      failed_at = null,
      problem = null
  where key = p_key;
end
$$;

-- enqueue: Queues a message to another service in the outbox.
--
-- Promises  One message per key. An e-mail, a refetch or an alert that was queued before stays unchanged. A
--           message of kind `identity` or `cache` delivers the current state, and a user has one of each: a
--           change of the state raises its generation and makes it due again. A pending message is due no
--           later than before.
-- Locks     The message, unless it stays unchanged.
-- Races     A worker that is delivering the message keeps its lease, so that deliveries stay in order. It
--           delivers an older generation, so the message is delivered again afterwards.

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

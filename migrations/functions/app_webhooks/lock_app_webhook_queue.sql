-- lock_app_webhook_queue: Locks a user's queue of webhooks to the app, before a message is added.
--
-- Promises  Returns false and changes nothing if no endpoint is configured (set_app_webhooks), for an unknown
--           user, and in a backfill or an import (`farebox.quiet`).
-- Locks     The queue, until the transaction ends: messages are numbered in the order of the commits.
-- Races     A worker that is delivering keeps its lease. One that finds the queue locked skips it.

create or replace function lock_app_webhook_queue(p_user_id text, p_now timestamptz)
returns boolean
language plpgsql
as $$
begin
  if p_user_id is null or current_setting('farebox.quiet', true) = 'true' then
    return false;
  end if;

  insert into app_webhook_queues as queue (user_id, due_at)
  select p_user_id, p_now
  from catalog_state
  where has_app_webhooks
  on conflict (user_id) do update
  -- A message that is retried later holds back those behind it.
  set due_at = queue.due_at;

  return found;
end
$$;

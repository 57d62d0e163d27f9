-- finish_portal: Stores the answer to a portal request, for retries with its idempotency key.
--
-- Promises  Repeating it changes nothing.
-- Locks     The request.

create or replace function finish_portal(p_request_id bigint, p_answer jsonb, p_now call_time)
returns void
language sql
security definer
set search_path from current
as $$
  select require_service();

  update stripe_requests
  set answer = p_answer,
      answered_at = p_now,
      leased_until = null
  where id = p_request_id
    and answered_at is null
$$;

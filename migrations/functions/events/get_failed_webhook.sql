-- get_failed_webhook: Returns a dead letter with its payload.
--
-- Promises  Null for an unknown id.

create or replace function get_failed_webhook(p_id text)
returns jsonb
language sql
stable
security definer
set search_path from current
as $$
  select require_service();

  select to_jsonb(f)
  from failed_webhooks f
  where f.id = p_id
$$;

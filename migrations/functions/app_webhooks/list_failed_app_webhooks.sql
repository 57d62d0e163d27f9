-- list_failed_app_webhooks: Lists the webhooks to the app that failed permanently.
--
-- Promises  At most `p_limit`, the newest failure first, without their data.

create or replace function list_failed_app_webhooks(p_limit page_size)
returns setof jsonb
language sql
stable
security definer
set search_path from current
as $$
  select require_service();

  select jsonb_build_object(
    'id', id,
    'type', type,
    'user_id', user_id,
    'occurred_at', occurred_at,
    'failed_at', failed_at,
    'attempts', attempts,
    'problem', problem)
  from app_webhooks
  where failed_at is not null
  order by failed_at desc, seq desc
  limit p_limit
$$;

-- list_failed_webhooks: Returns a page of dead letters, the latest failure first.
--
-- Takes     `open`, `resolved` or `all`; a type, or null for every type; and the `failed_at` and id of the
--           last one of the previous page.
-- Promises  At most `p_limit`, without payloads.

create or replace function list_failed_webhooks(
  p_status    text,
  p_type      text,
  p_before    timestamptz,
  p_before_id text,
  p_limit     page_size
)
returns setof jsonb
language sql
stable
security definer
set search_path from current
as $$
  select require_service();

  select to_jsonb(f) - 'payload'
  from failed_webhooks f
  where (p_status = 'all' or (f.resolved_at is null) = (p_status = 'open'))
    and (p_type is null or f.type = p_type)
    and (p_before is null or (f.failed_at, f.id) < (p_before, p_before_id))
  order by f.failed_at desc, f.id desc
  limit p_limit
$$;

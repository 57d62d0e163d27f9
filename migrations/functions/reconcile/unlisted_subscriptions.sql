-- unlisted_subscriptions: Returns which subscriptions are not on a page of Stripe's list.
--
-- Takes     The ids on the page, and the range of their creation times; null for an open end.
-- Promises  At most `p_limit` subscriptions that have not ended, the newest first. Changes nothing. Stripe
--           may still list one of them: of two created in one second, one may be on the next page.

create or replace function unlisted_subscriptions(
  p_ids   text[],
  p_from  timestamptz,
  p_to    timestamptz,
  p_limit page_size
)
returns text[]
language sql
stable
security definer
set search_path from current
-- JIT compilation would take a thousand times as long as the query.
set jit to off
as $$
  select require_service();

  select coalesce(array_agg(id), '{}')
  from (
    select id
    from subscriptions
    where status not in ('canceled', 'incomplete_expired')
      and created_at >= coalesce(p_from, '-infinity')
      and created_at <= coalesce(p_to, 'infinity')
      and id <> all (p_ids)
    order by created_at desc, id
    limit p_limit
  ) unlisted
$$;

-- unlisted_subscriptions: which subscriptions that live here are not on a page of Stripe's list.
--
-- Takes     The ids on the page, and between which times those on it were created; null has no end.
-- Promises  At most `p_limit`, the newest first. Changes nothing. That one is not on the page does not
--           prove that Stripe does not have it: of two of one second, one may be on the next page.

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
-- Compiling it takes a thousand times as long as running it.
set jit to off
as $$
  select require_service();

  select coalesce(array_agg(id), '{}')
  from (
    select id
    from subscriptions
    where status in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete')
      and (p_from is null or created_at >= p_from)
      and (p_to is null or created_at <= p_to)
      and id <> all (p_ids)
    order by created_at desc, id
    limit p_limit
  ) unlisted
$$;

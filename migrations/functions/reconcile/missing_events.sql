-- missing_events: which of these events were never heard of.
--
-- Promises  Neither those that were applied nor those that wait as dead letters. Changes nothing.
-- Races     One that arrives meanwhile is a duplicate when it is applied again.

create or replace function missing_events(p_ids text[])
returns text[]
language sql
stable
security definer
set search_path from current
as $$
  select require_service();

  select coalesce(array_agg(told.id), '{}')
  from unnest(p_ids) told (id)
  where not exists (
    select 1
    from webhook_events e
    where e.id = told.id
  )
    and not exists (
      select 1
      from failed_webhooks f
      where f.id = told.id
    )
$$;

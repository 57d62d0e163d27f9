-- missing_events: Returns which of the given events Farebox has not received.
--
-- Promises  Leaves out events that were applied, and dead letters. Changes nothing.
-- Races     An event that arrives after this call is a duplicate when reconciliation applies it.

create or replace function missing_events(p_ids text[])
returns text[]
language sql
stable
security definer
set search_path from current
as $$
  select require_service();

  select coalesce(array_agg(given.id), '{}')
  from unnest(p_ids) given (id)
  where not exists (
    select 1
    from webhook_events e
    where e.id = given.id
  )
    and not exists (
      select 1
      from failed_webhooks f
      where f.id = given.id
    )
$$;

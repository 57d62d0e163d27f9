-- forget_webhook_events: forgets which events were applied more than 30 days ago.
--
-- Promises  At most `p_batch` rows a call; answers how many. None of them can come again: Stripe
--           delivers an event for three days at most and lists it for 30, and a dead letter's payload
--           is not kept for longer.
-- Locks     The rows it deletes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_webhook_events(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from webhook_events
    where processed_at < p_now - interval '30 days'
    limit p_batch
    for update skip locked
  ),
  forgotten as (
    delete from webhook_events
    using due
    where webhook_events.id = due.id
    returning webhook_events.id
  )
  select count(*)
  from forgotten
$$;

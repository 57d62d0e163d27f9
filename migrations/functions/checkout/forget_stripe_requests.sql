-- forget_stripe_requests: forgets what was asked of Stripe more than a day ago.
--
-- Promises  At most `p_batch` rows a call; answers how many. Stripe forgets its keys as soon.
-- Locks     The rows it deletes, skipping those that somebody else holds.
-- Races     Two runs at once share the work.

create or replace function forget_stripe_requests(p_now call_time, p_batch page_size)
returns bigint
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from stripe_requests
    where created_at < p_now - interval '24 hours'
      and (leased_until is null or leased_until <= p_now)
    limit p_batch
    for update skip locked
  ),
  forgotten as (
    delete from stripe_requests
    using due
    where stripe_requests.id = due.id
    returning stripe_requests.id
  )
  select count(*)
  from forgotten
$$;

-- claim_outbox: lends out what is due to be told.
--
-- Promises  At most `p_limit` rows, those that are due longest first. Nobody else gets them for
--           `p_lease_seconds`; whoever finishes one names the end of its lease. Each comes with what it
--           tells as it is now: the address that Stripe has for an e-mail, the entitlement for the
--           identity provider and the cache. A notice of usage or credits, which a user can bring about
--           without paying, goes to no address that they only claimed.
--           `p_now` says what is due. Leases are counted by the server's own clock: they are about how long
--           a worker takes, and the clock of a local stack leaps.
-- Locks     The rows it lends, skipping those that somebody else holds.
-- Races     Two callers at once share the work. A worker that is gone loses its rows with their lease.

create or replace function claim_outbox(
  p_now           call_time,
  p_limit         page_size,
  p_lease_seconds lease_seconds
)
returns setof jsonb
language sql
security definer
set search_path from current
as $$
  select require_service();

  with due as (
    select id
    from outbox
    where due_at <= p_now
      and done_at is null
      and failed_at is null
      and (leased_until is null or leased_until <= now())
    order by kind = 'email', due_at
    limit p_limit
    for update skip locked
  ),
  lent as (
    update outbox
    set leased_until = now() + make_interval(secs => p_lease_seconds),
        attempts = attempts + 1
    from due
    where outbox.id = due.id
    returning outbox.*
  )
  select jsonb_build_object(
    'id', l.id,
    'kind', l.kind,
    'generation', l.generation,
    'attempts', l.attempts,
    'leased_until', l.leased_until,
    'payload', l.payload,
    'user_id', l.user_id,
    'email', case
      when l.kind = 'email' then (
        select c.email
        from stripe_customers c
        join accounts u on u.id = c.user_id
        where c.user_id = l.user_id
          and c.email is not null
          and (
            l.payload ->> 'template' not in ('limit_near', 'credits_used')
            or lower(c.email) is distinct from lower(u.claimed_email)
            or exists (
              select 1
              from checkout_sessions s
              where s.user_id = u.id
                and s.customer_id = c.id
                and s.status = 'complete'))
        order by (c.id = u.stripe_customer_id) desc nulls last, c.created_at desc
        limit 1
      )
    end,
    'entitlement', case
      when l.kind in ('identity', 'cache') then known_entitlement(l.user_id, p_now)
    end)
  from lent l
$$;

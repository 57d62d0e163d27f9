-- claim_outbox: Leases the outbox messages that are due.
--
-- Promises  At most `p_limit` messages, the longest due first, e-mails last. No other caller gets them for
--           `p_lease_seconds`; finish_outbox takes the end of the lease. Each has the current state to
--           deliver: the e-mail address of the customer at Stripe, or the entitlement for the identity
--           provider and the cache. A notice that a user can cause without paying, about usage or credits,
--           does not go to an address that the user only claimed. `p_now` decides what is due. Leases use the
--           database's clock: they depend on how long a worker takes, and the clock of a local stack jumps.
-- Locks     The messages it leases. It skips locked ones.
-- Races     Concurrent callers share the work. The messages of a worker that stopped are due when its lease
--           ends.

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
  leased as (
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
    'created_at', l.created_at,
    'payload', l.payload,
    'user_id', l.user_id,
    'email', case
      when l.kind = 'email' then (
        select c.email
        from stripe_customers c
        join accounts a on a.id = c.user_id
        where c.user_id = l.user_id
          and c.email is not null
          and (
            l.payload ->> 'template' not in ('limit_near', 'credits_used')
            or lower(c.email) is distinct from lower(a.claimed_email)
            or exists (
              select 1
              from checkout_sessions s
              where s.user_id = a.id
                and s.customer_id = c.id
                and s.status = 'complete'))
        order by (c.id = a.stripe_customer_id) desc nulls last, c.created_at desc
        limit 1)
    end,
    'entitlement', case
      when l.kind in ('identity', 'cache') then known_entitlement(l.user_id, p_now)
    end)
  from leased l
$$;

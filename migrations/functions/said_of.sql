-- internal: called by our functions, not by farebox_app.
--
-- said_of: what the facts say of whom they are about: `customer`, `user_id` or `email`.
--
-- Promises  The first fact that says it. Null if none does.
-- Locks     None.
-- Races     None.

create or replace function said_of(p_facts jsonb, p_field text)
returns text
language sql
immutable
as $$
  select coalesce(
    p_facts -> 'subscription' ->> p_field,
    p_facts -> 'session' ->> p_field,
    p_facts -> 'invoice' ->> p_field,
    p_facts -> 'payment' ->> p_field,
    p_facts -> 'customer' ->> case p_field when 'customer' then 'id' else p_field end)
$$;

-- live_subscriptions: the subscriptions that a user goes on paying for.
--
-- Promises  Their ids at Stripe; runs under the identity of that user.
-- Locks     None.
-- Races     One that begins meanwhile is not among them.

create or replace function live_subscriptions(p_user_id text)
returns setof text
language plpgsql
set search_path from current
as $$
begin
  perform set_config('farebox.user_id', p_user_id, true);

  return query
    select id
    from subscriptions
    where user_id = p_user_id
      and status not in ('canceled', 'incomplete_expired');
end
$$;

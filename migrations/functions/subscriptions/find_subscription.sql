-- find_subscription: Returns get_subscription for the user of a Stripe subscription.
--
-- Promises  Null if no subscription with this id has a user, or if it belongs to another user than
--           `p_user_id` (if that is given): a user learns nothing of others.
-- Locks     As get_subscription.
-- Races     A subscription that has a user keeps it.

create or replace function find_subscription(
  p_subscription_id text,
  p_user_id         permitted_user,
  p_now             call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_user_id text;
begin
  select user_id
  into v_user_id
  from subscriptions
  where id = p_subscription_id
    and user_id = coalesce(p_user_id, user_id);

  if v_user_id is null then
    return null;
  end if;

  return get_subscription(v_user_id, p_now);
end
$$;

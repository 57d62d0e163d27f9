-- get_erasure_targets: Returns the Stripe objects to close before a user is erased.
--
-- Promises  {customers, sessions}: after these customers are deleted and these sessions expired, Stripe
--           charges the user nothing more. Runs with its caller's rights, under the user's identity, and
--           restores the identity that was set before.
-- Races     A checkout in progress finds the user erased, and deletes what it created at Stripe.

create or replace function get_erasure_targets(p_user_id permitted_user)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_answer   jsonb;
begin
  perform set_config('farebox.user_id', p_user_id, true);

  v_answer := jsonb_build_object(
    'customers', (
      select coalesce(jsonb_agg(id), '[]')
      from (
        select id
        from stripe_customers
        where user_id = p_user_id
        union
        select stripe_customer_id
        from accounts
        where id = p_user_id
          and stripe_customer_id is not null
      ) customers),
    'sessions', (
      select coalesce(jsonb_agg(id), '[]')
      from checkout_sessions
      where user_id = p_user_id
        and status = 'open'));

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

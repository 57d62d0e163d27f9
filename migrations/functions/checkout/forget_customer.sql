-- forget_customer: a user's Stripe customer is gone, and their next checkout makes a new one.
--
-- Promises  Only if it is still that one. Its subscriptions and payments keep their user.
-- Locks     The user's row.
-- Races     A checkout that just recorded a new customer: that one stays.

create or replace function forget_customer(
  p_user_id     permitted_user,
  p_customer_id text,
  p_now         call_time
)
returns void
language plpgsql
security definer
set search_path from current
as $$
begin
  perform ensure_account(p_user_id, p_now);

  update accounts
  set stripe_customer_id = null
  where id = p_user_id
    and stripe_customer_id = p_customer_id;
end
$$;

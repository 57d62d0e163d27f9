-- unlink_customer: Clears a user's Stripe customer, which was deleted at Stripe.
--
-- Promises  The user's next checkout creates a customer. Subscriptions and payments keep their user. Changes
--           nothing if the account has another customer by now.
-- Locks     The account (ensure_account).

create or replace function unlink_customer(
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

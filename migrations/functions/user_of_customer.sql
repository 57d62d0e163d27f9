-- internal: called by our functions, not by farebox_app.
--
-- user_of_customer: whose a Stripe customer is.
--
-- Promises  Once known it stays so. Until then the id that an object's metadata names decides, if it is
--           a user we know; null if it is not.
-- Locks     None of its own: the caller holds the customer's row.
-- Races     The customer's row puts callers in line.

create or replace function user_of_customer(p_customer_id text, p_named_user_id text)
returns text
language plpgsql
security definer
set search_path from current
as $$
declare
  v_user_id text;
begin
  update stripe_customers
  set user_id = coalesce(user_id, (select id from users where id = p_named_user_id))
  where id = p_customer_id
  returning user_id into v_user_id;

  update subscriptions
  set user_id = v_user_id
  where customer_id = p_customer_id
    and user_id is null
    and v_user_id is not null;

  return v_user_id;
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- customer_for_request: the Stripe customer of a user, or how to make the one they will have.
--
-- Promises  Answers {known: id}, or {new: {stripe_key, email}}: the same for everybody
--           who asks until the customer is known, so that Stripe makes one however often it is asked.
-- Locks     None of its own: the caller holds the user's row.
-- Races     The user's row puts callers in line.

create or replace function customer_for_request(p_user_id text, p_email text, p_now timestamptz)
returns jsonb
language plpgsql
as $$
declare
  v_customer_id text;
  v_request     stripe_requests;
begin
  select stripe_customer_id
  into v_customer_id
  from users
  where id = p_user_id;

  if v_customer_id is not null then
    return jsonb_build_object('known', v_customer_id);
  end if;

  select *
  into v_request
  from stripe_requests
  where user_id = p_user_id
    and kind = 'customer';

  if v_request.id is null then
    insert into stripe_requests (user_id, kind, parameters, created_at)
    values (p_user_id, 'customer', jsonb_build_object('email', p_email), p_now)
    returning * into v_request;
  end if;

  return jsonb_build_object(
    'new',
    v_request.parameters || jsonb_build_object('stripe_key', v_request.stripe_key));
end
$$;

-- begin_erasure: what has to end at Stripe before a user is forgotten.
--
-- Promises  Answers {customers, sessions}: whoever deletes those customers and closes those sessions
--           leaves nothing that goes on being paid. Runs under the identity of that user.
-- Races     A checkout that is under way: it finds the user erased, and cleans up behind itself.

create or replace function begin_erasure(p_user_id permitted_user)
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
      ) known),
    'sessions', (
      select coalesce(jsonb_agg(id), '[]')
      from checkout_sessions
      where user_id = p_user_id
        and status = 'open'));

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

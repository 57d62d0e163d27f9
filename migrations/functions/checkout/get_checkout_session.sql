-- get_checkout_session: Returns a user's checkout session, for the success page.
--
-- Promises  Null for a session that does not exist or belongs to another user. Runs with its caller's
--           rights, under the user's identity, and restores the identity that was set before.

create or replace function get_checkout_session(p_user_id permitted_user, p_session_id text)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_answer   jsonb;
begin
  perform set_config('farebox.user_id', p_user_id, true);

  v_answer := (
    select jsonb_build_object(
      'session_id', c.id,
      'mode', c.mode,
      'status', c.status,
      'payment_status', c.payment_status,
      'plan', c.plan,
      'interval', c.interval,
      'pack', c.pack,
      'quantity', c.quantity,
      'currency', c.currency,
      'amount_minor', c.amount_minor,
      'subscription_status', s.status)
    from checkout_sessions c
    left join subscriptions s on s.id = c.subscription_id
    where c.id = p_session_id
      and c.user_id = p_user_id);

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

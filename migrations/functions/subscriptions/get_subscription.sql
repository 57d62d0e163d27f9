-- get_subscription: Returns a user's subscription_view, for the billing page.
--
-- Promises  Runs with its caller's rights under the user's identity, in one round trip: Row Level Security
--           limits every query in it to that user's rows. Recomputes an entitlement that is due first.
-- Locks     The account (recompute_if_due), if something is due.

create or replace function get_subscription(p_user_id permitted_user, p_now call_time)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_answer   jsonb;
begin
  perform recompute_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  v_answer := subscription_view(p_user_id, p_now);

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

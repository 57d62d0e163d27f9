-- get_subscription: a user's subscription as the billing page shows it.
--
-- Promises  Runs with its caller's rights under the identity of that user, in one flight: row level
--           security shows it that user's rows alone, whatever a query in it forgets.
-- Locks     The user's row (recompute_if_due), if something is due.

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

-- get_entitlements: Returns a user's entitlement_view, for a read that the cache cannot serve.
--
-- Promises  Runs with its caller's rights under the user's identity, in one round trip: Row Level Security
--           limits every query in it to that user's rows. Recomputes an entitlement that is due first. Null
--           while nothing is sold. An erased user is refused with FB001.
-- Locks     The account (recompute_if_due), if something is due.

create or replace function get_entitlements(p_user_id permitted_user, p_now call_time)
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

  v_answer := entitlement_view(p_user_id, p_now);

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_answer;
end
$$;

-- get_entitlements: what a user may do, has used and holds, where the cache does not know.
--
-- Promises  Runs with its caller's rights under the identity of that user, in one flight: row level
--           security shows it that user's rows alone, whatever a query in it forgets. What time alone
--           has changed is seen. Null while nothing is sold; a user who was erased is refused with FB001.
-- Locks     The user's row (recompute_if_due), if something is due.

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

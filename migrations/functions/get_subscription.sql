-- get_subscription: a user's subscription as the billing page shows it.
--
-- Promises  Runs with its caller's rights under the identity of that user, in one flight: row level
--           security shows it that user's rows alone, whatever a query in it forgets.
-- Locks     The user's row (settle_if_due), if something is due.
-- Races     None.

create or replace function get_subscription(p_user_id text, p_now timestamptz)
returns jsonb
language plpgsql
set search_path from current
as $$
begin
  perform settle_if_due(p_user_id, p_now);
  perform set_config('farebox.user_id', p_user_id, true);

  return subscription_view(p_user_id, p_now);
end
$$;

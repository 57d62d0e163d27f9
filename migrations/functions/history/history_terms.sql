-- history_terms: Returns how long a user's plan keeps history entries, and how many.
--
-- Promises  A null is no limit. Both are null while nothing is sold. Runs with its caller's rights.

create or replace function history_terms(
  p_user_id       permitted_user,
  out keep        interval,
  out max_entries bigint
)
language plpgsql
stable
as $$
begin
  select make_interval(days => v.history_keep_days), v.history_max_entries
  into keep, max_entries
  from user_plan(p_user_id) own
  join pricing_plan_versions v
    on v.plan = own.plan
    and v.version = own.version;
end
$$;

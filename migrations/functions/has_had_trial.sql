-- internal: called by our functions, not by farebox_app.
--
-- has_had_trial: whether a user has ever had a trial, of any plan.
--
-- Promises  True from the moment a subscription with a trial is known.
-- Locks     None.
-- Races     A trial can only come from a session, and a user has one open at a time.

create or replace function has_had_trial(p_user_id text)
returns boolean
language sql
stable
as $$
  select exists (
    select 1
    from subscriptions
    where user_id = p_user_id
      and trial_start is not null
  )
$$;

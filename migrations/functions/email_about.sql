-- internal: called by our functions, not by farebox_app.
--
-- email_about: what an e-mail says of a subscription.
--
-- Promises  Nothing about the person: only what was bought.
-- Locks     None.
-- Races     None.

create or replace function email_about(p_subscription subscriptions)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'plan_name', coalesce(
        (
          select name
          from pricing_plan_versions
          where plan = p_subscription.plan
            and version = p_subscription.plan_version
        ),
        p_subscription.plan),
      'trial_end', extract(epoch from p_subscription.trial_end)::bigint,
      'ended_at', extract(epoch from p_subscription.ended_at)::bigint,
      'amount_minor', p_subscription.amount_minor,
      'currency', p_subscription.currency));
end
$$;

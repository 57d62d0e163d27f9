-- report_paid_twice: Alerts the operators to a user who pays for several subscriptions at once.
--
-- Promises  One alert for the same subscriptions. A subscription that is set to end does not count.
-- Locks     The account, which the outbox message references.
-- Races     Two concurrent calls queue one alert.

create or replace function report_paid_twice(p_user_id text, p_now timestamptz)
returns void
language plpgsql
as $$
declare
  v_live text;
begin
  select string_agg(id, ', ' order by id)
  into v_live
  from subscriptions
  where user_id = p_user_id
    and status in ('active', 'trialing')
    and plan is not null
    and not cancel_at_period_end
    and cancel_at is null
  having count(*) > 1;

  if v_live is not null then
    perform enqueue(
      'alert',
      format('alert:paid_twice:%s', v_live),
      p_user_id,
      jsonb_build_object(
        'name', 'paid_twice',
        'message', format(
          'One user has several live subscriptions, and pays for each: %s. The plan of the highest rank '
          'counts. Cancel the others at Stripe.', v_live)),
      p_now,
      p_now);
  end if;
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- refuse_second_subscription: refuses (FB005) whoever has a subscription that lives.
--
-- Promises  Says in which state it is, since that decides what can be done instead.
-- Locks     None of its own: the caller holds the user's row, without which two calls could both find
--           that there is none.
-- Races     The user's row puts callers in line.

create or replace function refuse_second_subscription(p_user_id text)
returns void
language plpgsql
stable
as $$
declare
  v_live text;
begin
  select status
  into v_live
  from subscriptions
  where user_id = p_user_id
    and plan is not null
    and status in ('active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete')
  order by status in ('active', 'trialing') desc
  limit 1;

  if v_live is not null then
    perform refuse('already_subscribed', jsonb_build_object('status', v_live));
  end if;
end
$$;

-- with-functions: what is there is taken over in the transaction that replaces the functions, so that
-- neither the old ones nor the new ones ever see half of it.

-- In the order in which the functions lock, so that it waits for them and they for it.
lock table webhook_events, payments, stripe_customers, users in exclusive mode;

alter table entitlements
  drop column version;

update subscriptions
set billing_anchor = case status
      when 'trialing' then coalesce(trial_end, current_period_start)
      else current_period_start
    end;

-- The rest of what an entitlement says now follows with the next that is heard of it, or within minutes.
update entitlements e
set subscription_id = s.id,
    anchor = coalesce(s.billing_anchor, s.created_at),
    trial_start = case s.status when 'trialing' then s.trial_start end
from (
  select distinct on (user_id) *
  from subscriptions
  where status in ('active', 'trialing', 'past_due')
    and plan is not null
  order by user_id, status = 'past_due', created_at desc
) s
where e.source = 'stripe'
  and s.user_id = e.user_id;

update entitlements e
set anchor = g.starts_at
from plan_grants g
where e.source = 'grant'
  and g.user_id = e.user_id
  and g.ended_at is null;

update users u
set ledger_seq = (
      select coalesce(max(seq), 0)
      from credit_transactions
      where user_id = u.id),
    -- No version before was greater than the time in milliseconds.
    entitlement_version = (extract(epoch from now()) * 1000)::bigint,
    -- Whom nothing comes or goes by time alone is not looked at; the others are, within minutes.
    due_at = case
      when e.status = 'past_due' or v.features @? '$.* ? (@.type == "credits" && @.amount > 0)'
      then now()
      else coalesce(g.ends_at, 'infinity')
    end
from entitlements e
join pricing_plan_versions v
  on v.plan = e.plan
  and v.version = e.plan_version
left join plan_grants g
  on g.user_id = e.user_id
  and g.ended_at is null
where u.id = e.user_id;

update users u
set ledger_seq = (
      select coalesce(max(seq), 0)
      from credit_transactions
      where user_id = u.id)
where ledger_seq = 0
  and exists (
    select 1
    from credit_balances
    where user_id = u.id);

-- What was given before there were buckets does not expire.
insert into credit_buckets (user_id, unit, kind, amount, remaining, priority, created_at)
select user_id, unit, 'opening', balance, balance, 50, now()
from credit_balances
where balance > 0;

update credit_balances
set topped_up = greatest(balance, 0);

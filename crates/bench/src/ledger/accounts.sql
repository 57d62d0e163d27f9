create schema bench;

-- The baseline: a transaction that updates one row.
create table bench.bare (
  id      integer primary key,
  balance bigint not null
);

insert into bench.bare
select n, 0
from generate_series(0, 1000) n;

insert into accounts (id, created_at)
select kind || '_' || n, now()
from unnest(array['plain', 'several']) kind, generate_series(0, 1000) n;

insert into plan_comps (user_id, plan, plan_version, starts_at)
select u.id, c.plan, c.version, now() - interval '1 hour'
from accounts u
join current_plans c on c.plan = 'pro';

-- Spends the plan's grant of each `plain` account, which keeps one credit grant that does not expire.
select count(grant_credits(id, 'grant', 'ai_credit', 1000000000000, null, null, '{}', 'bench', null, null, now()))
from accounts
where id like 'plain%';

select count(spend_credits(id, 'ai_credit', 100, '{}', null, null, now()))
from accounts
where id like 'plain%';

select count(grant_credits(
  id, 'grant', 'ai_credit', 1000000000000, now() + interval '1 day' * days, null, '{}', 'bench', null, null, now()))
from accounts
cross join generate_series(1, 5) days
where id like 'several%';

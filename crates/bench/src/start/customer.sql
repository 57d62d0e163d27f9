-- Stores a customer whose plan never refuses usage, with credits for every spend.
insert into accounts (id, created_at)
values ('bench-customer', now());

insert into plan_comps (user_id, plan, plan_version, starts_at)
select 'bench-customer', plan, version, now() - interval '1 hour'
from current_plans
where plan = 'pro';

select grant_credits(
  'bench-customer', 'grant', 'ai_credit', 1000000000000, null, null, '{}', 'bench', null, null, now());

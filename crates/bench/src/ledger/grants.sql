-- No two of the many grants expire at the same time, so that none of them can be merged.
insert into accounts (id, created_at)
values
  ('one_grant', now()),
  ('many_grants', now());

insert into plan_comps (user_id, plan, plan_version, starts_at)
select u.id, c.plan, c.version, now() - interval '1 hour'
from accounts u
join current_plans c on c.plan = 'pro'
where u.id in ('one_grant', 'many_grants');

select grant_credits(
  'one_grant', 'grant', 'ai_credit', 1000000000000, now() + interval '1 day', null, '{}', 'bench', null, null, now());

select count(grant_credits(
  'many_grants', 'grant', 'ai_credit', 10, now() + interval '1 day' + n * interval '1 minute', null, '{}', 'bench',
  null, null, now()))
from generate_series(1, {grants}) n;

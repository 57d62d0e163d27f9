insert into accounts (id, created_at)
values ('{user}', '2000-01-01Z');

insert into history (user_id, kind, title, result, score, tags, created_at)
select
  '{user}',
  case when n % 100 = 0 then 'rare' else 'common' end,
  'entry ' || n,
  repeat('The result of ' || n || '. ', 40),
  50,
  '{rust}',
  timestamptz '2001-01-01Z' + n * interval '1 minute'
from generate_series(1, {count}) n;

insert into history_counters (user_id, entries, newest_at)
select user_id, count(*), max(created_at)
from history
where user_id = '{user}'
group by user_id;

-- Spends of one credit each, as many for each account, which nobody made.
begin;

insert into credit_transactions (user_id, seq, unit, delta, balance_after, kind, created_at)
select u.id, u.ledger_seq + n, 'ai_credit', -1, b.balance - n, 'spend', now()
from accounts u
join credit_balances b on b.user_id = u.id and b.unit = 'ai_credit'
cross join generate_series(1, {each}) n
where u.id like 'plain%'
order by u.id, n;

update credit_grants
set remaining = remaining - {each}
where user_id like 'plain%'
  and is_open;

update credit_balances
set balance = balance - {each}
where user_id like 'plain%'
  and unit = 'ai_credit';

update accounts
set ledger_seq = ledger_seq + {each}
where id like 'plain%';

commit;

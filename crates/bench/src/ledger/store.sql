-- Inserts {each} spends of one credit for each `plain` account, without calling spend_credits.
begin;

insert into credit_transactions (user_id, unit, seq, delta, balance_after, kind, created_at)
select w.user_id, w.unit, w.seq + n, -1, w.balance - n, 'spend', now()
from wallets w
cross join generate_series(1, {each}) n
where w.user_id like 'plain%'
  and w.unit = 'ai_credit'
order by w.user_id, n;

update wallets
set seq = seq + {each},
    balance = balance - {each},
    head_left = head_left - {each}
where user_id like 'plain%'
  and unit = 'ai_credit';

commit;

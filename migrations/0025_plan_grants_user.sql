-- no-transaction: erasing a user looks for all grants of theirs, ended ones too.

create index concurrently if not exists plan_grants_user on plan_grants (user_id);

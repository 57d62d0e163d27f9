-- no-transaction: for the job that looks for what time alone changes.

create index concurrently if not exists users_due on users (due_at);

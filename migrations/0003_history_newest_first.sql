-- no-transaction: an index on a table in use is built without locking its writers out.

create index concurrently if not exists history_newest_first
  on history (user_id, created_at desc, id desc);

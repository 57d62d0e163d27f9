-- no-transaction: for what was bought by customers of whom it is not known yet who they are.

create index concurrently if not exists checkout_sessions_unclaimed
  on checkout_sessions (customer_id)
  where user_id is null;

-- no-transaction: hardly a payment has a second charge, and one that has is found by it.

create index concurrently if not exists payments_other_charges
  on payments using gin (other_charges)
  where other_charges is not null;

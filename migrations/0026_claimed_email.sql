-- The address that a user named at a checkout that is not paid for yet, and with which their customer
-- was made at Stripe. It may be a stranger's.

alter table users
  add column claimed_email text;

comment on column users.claimed_email is 'The address that the user gave their Stripe customer. Until one of their checkout sessions is completed, notices of usage and credits do not go there.';

-- is_erased_customer: Returns whether a Stripe customer belonged to a user who was erased.
--
-- Promises  False for null.

create or replace function is_erased_customer(p_customer_id text)
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select 1
    from erased_customers
    where id_sha256 = sha256(convert_to(p_customer_id, 'UTF8')));
end
$$;

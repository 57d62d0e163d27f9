-- internal: called by our functions, not by farebox_app.
--
-- user_of_facts: whose facts are that were applied before.
--
-- Promises  Null if that is not known. Changes nothing.
-- Locks     None.
-- Races     None: one statement sees one state.

create or replace function user_of_facts(p_facts jsonb, p_customer_id text)
returns text
language plpgsql
stable
as $$
begin
  return (
    select coalesce(
      (
        select user_id
        from stripe_customers
        where id = p_customer_id
      ),
      (
        select coalesce(c.user_id, p.user_id)
        from payments p
        left join stripe_customers c on c.id = p.customer_id
        where p.id = p_facts -> 'payment' ->> 'id'
      )));
end
$$;

-- internal: called by our functions, not by farebox_app.
--
-- hear_customer: what is known of a customer: their address, and whether they are gone.
--
-- Promises  The address that was heard of last counts. One who was deleted stays so, and the user's next
--           checkout makes a new one.
-- Locks     None of its own: the caller holds the customer's row and the user's.
-- Races     The customer's row puts callers in line.

create or replace function hear_customer(
  p_customer_id text,
  p_email       text,
  p_is_deleted  boolean,
  p_event       jsonb,
  p_now         timestamptz
)
returns void
language plpgsql
as $$
declare
  v_at timestamptz := to_timestamp((p_event ->> 'created')::bigint);
begin
  if p_email is not null then
    update stripe_customers
    set email = p_email,
        email_heard_at = v_at
    where id = p_customer_id
      and deleted_at is null
      and (coalesce(email_heard_at, '-infinity'), coalesce(email, '')) < (v_at, p_email);
  end if;

  if p_is_deleted then
    update stripe_customers
    set deleted_at = coalesce(deleted_at, p_now),
        email = null
    where id = p_customer_id;

    update users
    set stripe_customer_id = null
    where stripe_customer_id = p_customer_id;
  end if;
end
$$;

-- release_stripe_request: Releases the lease on a request to Stripe that did not succeed.
--
-- Promises  A retry continues the request at once, with the same Stripe key: Stripe may have processed it.
--           With `p_is_final` Stripe refused it permanently, and it is deleted: a retry starts again, with a
--           new key. With `p_customer_is_final` the request for the user's customer is deleted too. A
--           finished request stays.
-- Locks     The account.
-- Races     If another caller has taken the request over, its lease is released too. At worst both send the
--           same request, under the same Stripe key.

create or replace function release_stripe_request(
  p_request_id        bigint,
  p_is_final          boolean,
  p_customer_is_final boolean,
  p_now               call_time
)
returns void
language plpgsql
security definer
set search_path from current
as $$
declare
  v_user_id text;
begin
  perform require_service();

  select user_id
  into v_user_id
  from stripe_requests
  where id = p_request_id
    and answered_at is null;

  if v_user_id is null then
    return;
  end if;

  perform ensure_account(v_user_id, p_now);

  update stripe_requests
  set leased_until = null
  where id = p_request_id
    and answered_at is null;

  delete from stripe_requests
  where user_id = v_user_id
    and answered_at is null
    and (id = p_request_id and p_is_final or kind = 'customer' and p_customer_is_final);
end
$$;

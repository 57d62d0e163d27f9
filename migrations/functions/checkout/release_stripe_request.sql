-- release_stripe_request: gives up a request to Stripe that was not answered as hoped.
--
-- Promises  With `p_forget` it never was: Stripe said no for good, and a retry begins anew, under new
--           keys; with `p_forget_customer` the customer it needed never was either. Without, whoever
--           retries goes on with it at once, under the same ones: Stripe may have carried it out. A request that was finished stays.
-- Locks     The user's row.
-- Races     Somebody who took the request over: it is released from under them, which at worst makes
--           two ask the same of Stripe under the same key.

create or replace function release_stripe_request(
  p_request_id      bigint,
  p_forget          boolean,
  p_forget_customer boolean,
  p_now             call_time
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
    and (id = p_request_id and p_forget or kind = 'customer' and p_forget_customer);
end
$$;

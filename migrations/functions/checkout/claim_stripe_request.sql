-- claim_stripe_request: Finds the request of an idempotency key, and leases it to the caller.
--
-- Promises  Returns the request with its answer, or leased to this caller to continue. Null if the key is new
--           and no other request of the user is in progress. A key of another request or user is refused with
--           FB002. A request that another caller holds raises FB003: a user changes one thing at Stripe at a
--           time. An abandoned request without a key stays for the caller to handle.
-- Locks     The caller holds the account.

create or replace function claim_stripe_request(
  p_user_id         text,
  p_kind            text,
  p_idempotency_key text,
  p_fingerprint     text,
  p_now             timestamptz
)
returns stripe_requests
language plpgsql
as $$
declare
  v_request stripe_requests;
begin
  delete from stripe_requests
  where user_id = p_user_id
    and created_at < p_now - interval '24 hours'
    and (answered_at is not null or leased_until is null or leased_until <= p_now);

  select *
  into v_request
  from stripe_requests
  where idempotency_key = p_idempotency_key;

  if v_request.id is not null
     and (v_request.fingerprint, v_request.user_id, v_request.kind)
       is distinct from (p_fingerprint, p_user_id, p_kind)
  then
    perform refuse('idempotency_key_reused');
  end if;

  if v_request.answered_at is not null then
    return v_request;
  end if;

  if exists (
    select 1
    from stripe_requests
    where user_id = p_user_id
      and answered_at is null
      and leased_until > p_now
      and (id = v_request.id or kind <> 'portal' and p_kind <> 'portal')
  ) then
    perform refuse('request_in_progress');
  end if;

  if v_request.id is not null then
    update stripe_requests
    set leased_until = p_now + stripe_lease()
    where id = v_request.id
    returning * into v_request;
  end if;

  return v_request;
end
$$;

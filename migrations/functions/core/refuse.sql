-- refuse: Refuses a request with a problem code, and rolls back the call.
--
-- Takes     A problem code of the API, and an object with the values of its message. Messages reach logs:
--           neither may contain personal data. Both are literals in the callers; a test compares them with
--           the codes and fields that Rust reads.
-- Promises  Never returns. The message is JSON: {"code", ...}. The SQLSTATE is FB001 for an erased user,
--           FB002 for an idempotency key of another request, FB003 while another request of the user is in
--           progress, FB008 for insufficient credits or an exceeded quota, and FB005 for everything else.

create or replace function refuse(p_code text, p_details jsonb default '{}')
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = case p_code
      when 'account_erased' then 'FB001'
      when 'idempotency_key_reused' then 'FB002'
      when 'request_in_progress' then 'FB003'
      when 'insufficient_credits' then 'FB008'
      when 'quota_exceeded' then 'FB008'
      else 'FB005'
    end,
    message = jsonb_build_object('code', p_code) || p_details;
end
$$;

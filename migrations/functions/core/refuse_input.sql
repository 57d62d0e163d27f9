-- refuse_input: Refuses (FB005) a request with an invalid value.
--
-- Takes     The reason, by which Rust names the field, and an object with the values of the message.
-- Promises  Never returns. Raises as refuse does, with {"code": "invalid_input", "reason", ...}.

create or replace function refuse_input(p_reason text, p_details jsonb default '{}')
returns void
language plpgsql
as $$
begin
  perform refuse('invalid_input', jsonb_build_object('reason', p_reason) || p_details);
end
$$;

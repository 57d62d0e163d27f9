-- save_feedback: Stores a user's feedback on an entry of their history, in place of earlier feedback.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null. Each
--           member has feedback of their own.
-- Promises  Returns {"updated_at"}. The same feedback again changes nothing. For a day, a retry with an
--           idempotency key gets the first answer and changes nothing, also after later feedback. The same
--           key with another fingerprint, or of another user, is refused with FB002. An entry that is
--           deleted, too old, or another user's is refused with FB005.
-- Locks     The actor (check_actor), then the account (ensure_account), so that the entry is not deleted
--           during the call.
-- Races     The last of concurrent calls wins.

create or replace function save_feedback(
  p_user_id     permitted_user,
  p_actor_id    text,
  p_history_id  text,
  p_rating      integer,
  p_comment     text,
  p_key         text,
  p_fingerprint text,
  p_now         call_time
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_author text := coalesce(p_actor_id, p_user_id);
  v_answer jsonb;
begin
  perform check_actor(p_actor_id);
  perform ensure_account(p_user_id, p_now);

  v_answer := history_answer(p_user_id, p_key, p_fingerprint, p_now);
  if v_answer is not null then
    return v_answer;
  end if;

  perform 1
  from history
  where id = p_history_id::uuid
    and user_id = p_user_id
    and created_at > history_start(p_user_id, p_now);

  if not found then
    perform refuse('history_entry_not_found');
  end if;

  insert into history_feedback as own (history_id, user_id, author_id, rating, comment, updated_at)
  values (p_history_id::uuid, p_user_id, v_author, p_rating, p_comment, p_now)
  on conflict (history_id, author_id) do update
  set rating = excluded.rating,
      comment = excluded.comment,
      updated_at = greatest(own.updated_at, excluded.updated_at)
  where (own.rating, own.comment) is distinct from (excluded.rating, excluded.comment);

  select jsonb_build_object('updated_at', updated_at)
  into v_answer
  from history_feedback
  where history_id = p_history_id::uuid
    and author_id = v_author;

  perform keep_history_answer(p_user_id, p_key, p_fingerprint, v_answer, p_now);

  return v_answer;
end
$$;

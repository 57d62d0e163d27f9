-- get_history_entry: Returns an entry of a user's history, with its result, data and feedback.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null.
-- Promises  Null if the user has no such entry. Runs with its caller's rights under the user's identity, as
--           get_usage does.

create or replace function get_history_entry(
  p_user_id  permitted_user,
  p_actor_id text,
  p_id       text,
  p_now      call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_author   text := coalesce(p_actor_id, p_user_id);
  v_entry    jsonb;
begin
  perform set_config('farebox.user_id', p_user_id, true);

  select to_jsonb(entry)
  into v_entry
  from (
    select
      h.id,
      h.kind,
      h.title,
      h.input_ref,
      h.result,
      h.score,
      h.tags,
      h.data,
      h.created_at,
      h.actor_id,
      case when f.history_id is not null then
        jsonb_build_object('rating', f.rating, 'comment', f.comment, 'updated_at', f.updated_at)
      end as feedback
    from history h
    left join history_feedback f
      on f.history_id = h.id
      and f.author_id = v_author
    where h.id = p_id::uuid
      and h.user_id = p_user_id
      and h.created_at > history_start(p_user_id, p_now)
  ) entry;

  v_identity := set_config('farebox.user_id', v_identity, true);

  return v_entry;
end
$$;

-- get_history: Returns a page of a user's history, newest first.
--
-- Takes     In `p_actor_id`: the member who acts for the organisation `p_user_id`; otherwise null. In
--           `p_filter`: {"kind", "tag", "text", "min_score", "max_score", "since", "until"}, each optional.
--           In `p_behind`: the created_at of the entry after which the page begins. `text` is searched for in
--           title and result; it has no wildcards, and its case does not matter, as far as the database's
--           locale knows two cases. `until` is exclusive.
-- Promises  Returns {"entries", "next"}. `next` is the created_at after which the next page begins; null on
--           the last page. Indexes find the user's entries by kind and time. For the other filters, a page
--           examines at most 2,000 entries, and results of 4 MB: it may have fewer entries than `p_limit`, or
--           none, while `next` is not null. So its cost does not depend on the length of the history. Runs
--           with its caller's rights under the user's identity, as get_usage does.

create or replace function get_history(
  p_user_id  permitted_user,
  p_actor_id text,
  p_filter   jsonb,
  p_behind   timestamptz,
  p_limit    page_size,
  p_now      call_time
)
returns jsonb
language plpgsql
set search_path from current
as $$
declare
  v_identity text := current_setting('farebox.user_id', true);
  v_author   text := coalesce(p_actor_id, p_user_id);
  -- No parameter is null: Postgres would plan the statement again in each call.
  v_kind     text := coalesce(p_filter ->> 'kind', '');
  v_tag      text := coalesce(p_filter ->> 'tag', '');
  v_text     text := lower(coalesce(p_filter ->> 'text', ''));
  v_min      numeric := coalesce((p_filter ->> 'min_score')::numeric, 0);
  v_max      numeric := coalesce((p_filter ->> 'max_score')::numeric, 100);
  v_scored   boolean := p_filter ? 'min_score' or p_filter ? 'max_score';
  v_since    timestamptz := coalesce((p_filter ->> 'since')::timestamptz, '-infinity');
  v_before   timestamptz := least((p_filter ->> 'until')::timestamptz, p_behind, 'infinity');
  v_rows     refcursor;
  v_row      record;
  v_examined integer := 0;
  v_bytes    bigint := 0;
  v_last     timestamptz;
  v_next     timestamptz;
  v_found    timestamptz[] := '{}';
  v_entries  jsonb;
  v_start    timestamptz;
begin
  perform set_config('farebox.user_id', p_user_id, true);
  v_start := history_start(p_user_id, p_now);

  if v_kind = '' then
    open v_rows for
      select created_at, title, result, score, tags
      from history
      where user_id = p_user_id
        and created_at > v_start
        and created_at >= v_since
        and created_at < v_before
      order by created_at desc;
  else
    open v_rows for
      select created_at, title, result, score, tags
      from history
      where user_id = p_user_id
        and kind = v_kind
        and created_at > v_start
        and created_at >= v_since
        and created_at < v_before
      order by created_at desc;
  end if;

  loop
    fetch v_rows into v_row;
    exit when not found;

    if cardinality(v_found) = p_limit or v_examined = 2000 or v_bytes > 4000000 then
      v_next := v_last;
      exit;
    end if;

    v_last := v_row.created_at;
    v_examined := v_examined + 1;
    if v_text <> '' then
      v_bytes := v_bytes + coalesce(octet_length(v_row.result), 0);
    end if;

    if (v_tag = '' or v_tag = any (v_row.tags))
      and (not v_scored or v_row.score between v_min and v_max)
      and (
        v_text = ''
        or strpos(lower(v_row.title), v_text) > 0
        or strpos(lower(v_row.result), v_text) > 0)
    then
      v_found := v_found || v_last;
    end if;
  end loop;

  close v_rows;

  select coalesce(jsonb_agg(to_jsonb(entry) order by entry.created_at desc), '[]')
  into v_entries
  from (
    select
      h.id,
      h.kind,
      h.title,
      h.input_ref,
      h.score,
      h.tags,
      h.created_at,
      h.actor_id,
      case when f.history_id is not null then
        jsonb_build_object('rating', f.rating, 'comment', f.comment, 'updated_at', f.updated_at)
      end as feedback
    from history h
    left join history_feedback f
      on f.history_id = h.id
      and f.author_id = v_author
    where h.user_id = p_user_id
      and h.created_at = any (v_found)
  ) entry;

  v_identity := set_config('farebox.user_id', v_identity, true);

  return jsonb_build_object('entries', v_entries, 'next', v_next);
end
$$;

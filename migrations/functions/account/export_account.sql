-- export_account: Returns a page of everything that Postgres stores about a user.
--
-- Takes     The place after which the page begins: the section and the key of its last record there. Null for
--           the first page.
-- Promises  {records, next}. A record is {type, data}: `data` has the columns of a row, named in camel case,
--           except those that account_sections leaves out. Times are in UTC; a time that never comes is null.
--           `next` is null on the last page. A page has at most `p_limit` records, and ends after a million
--           characters. It reads a table by an index on the user, from the key on, so that a page costs the
--           same wherever it begins. A place that is not one of these sections and keys is refused. Changes
--           nothing. An erased user is refused with FB001.
-- Races     Pages are read one by one. A row that is added later is at the end of its section, so that the
--           pages have every row that existed at the first one and still exists.

create or replace function export_account(
  p_user_id permitted_user,
  p_section text,
  p_after   text[],
  p_limit   page_size
)
returns jsonb
language plpgsql
security definer
set search_path from current
as $$
declare
  v_customers text[] := customers_of(p_user_id);
  v_after     text[] := p_after;
  v_records   jsonb[] := '{}';
  v_size      bigint := 0;
  v_next      jsonb;
  v_section   record;
  v_row       record;
begin
  if is_erased(p_user_id) then
    perform refuse('account_erased');
  end if;

  for v_section in
    select *
    from account_sections() s
    where s.place >= coalesce(
      (
        select place
        from account_sections()
        where name = p_section
      ),
      case when p_section is null then 0 end)
    order by place
  loop
    if cardinality(v_after) * 2 <> cardinality(v_section.keys) then
      perform refuse_input('unknown_cursor');
    end if;

    for v_row in execute section_query(v_section.name) using p_user_id, v_customers, v_after, p_limit + 1 loop
      if cardinality(v_records) = p_limit or v_size > 1000000 then
        return jsonb_build_object('records', to_jsonb(v_records), 'next', v_next);
      end if;

      v_records := v_records || v_row.record;
      v_size := v_size + length(v_row.record::text);
      v_next := jsonb_build_object('section', v_section.name, 'after', to_jsonb(v_row.after));
    end loop;

    v_after := null;
  end loop;

  if not found and p_section is not null then
    perform refuse_input('unknown_cursor');
  end if;

  return jsonb_build_object('records', to_jsonb(v_records), 'next', null);
exception
  when data_exception then
    -- Text of the caller that is not a key of this section.
    if p_section is null then
      raise;
    end if;

    perform refuse_input('unknown_cursor');
end
$$;

-- account_sections: Returns the sections of an export, in their order, with the table of each.
--
-- Promises  `owned` is the condition on a row `t` that it is the user's: $1 is the user, $2 their Stripe
--           customers. `keys` order the rows, each with its type; the first follow the user in an index,
--           where a user can have many rows. `omitted` are columns without data about the user: hashes, keys
--           of requests, leases, and the times that order Stripe's observations.

create or replace function account_sections()
returns table (place bigint, name text, source text, owned text, keys text[], omitted text[])
language sql
immutable
as $$
  select s.*
  from (
    values
      (1, 'account', 'accounts', 't.id = $1', array['id', 'text'], array['retry_at', 'catalog_epoch']),
      (2, 'customer', 'stripe_customers', 't.id = any ($2)', array['id', 'text'],
        array['invoices_known_at']),
      (3, 'entitlement', 'entitlements', 't.user_id = $1', array['user_id', 'text'], '{}'),
      (4, 'subscription', 'subscriptions', 't.user_id = $1', array['created_at', 'timestamptz', 'id', 'text'],
        array['observed_after', 'observed_at', 'event_rank', 'tie_breaker', 'period_observed_at',
              'price_seen', 'other_price_at', 'digest']),
      (5, 'subscription_preview', 'subscription_previews', 't.user_id = $1',
        array['expires_at', 'timestamptz', 'id', 'uuid'], array['steps']),
      (6, 'plan_comp', 'plan_comps', 't.user_id = $1', array['id', 'bigint'], '{}'),
      (7, 'checkout_session', 'checkout_sessions', 't.user_id = $1',
        array['created_at', 'timestamptz', 'id', 'text'], '{}'),
      (8, 'stripe_request', 'stripe_requests', 't.user_id = $1', array['id', 'bigint'],
        array['stripe_key', 'idempotency_key', 'fingerprint', 'leased_until']),
      (9, 'payment', 'payments', 't.user_id = $1 or t.customer_id = any ($2)', array['id', 'text'], '{}'),
      (10, 'refund', 'refunds',
        't.payment_id in (select id from payments where user_id = $1 or customer_id = any ($2))',
        array['id', 'text'], '{}'),
      (11, 'dispute', 'disputes',
        't.payment_id in (select id from payments where user_id = $1 or customer_id = any ($2))',
        array['id', 'text'], array['observed_at', 'tie_breaker']),
      (12, 'invoice', 'invoices', 't.customer_id = any ($2)', array['id', 'text'],
        array['observed_at', 'tie_breaker', 'payment_recorded']),
      (13, 'credit_balance', 'wallets', 't.user_id = $1', array['unit', 'text'], '{}'),
      (14, 'credit_grant', 'credit_grants', 't.user_id = $1', array['id', 'bigint'], '{}'),
      (15, 'ledger_entry', 'credit_transactions', 't.user_id = $1', array['unit', 'text', 'seq', 'bigint'],
        array['source', 'fingerprint']),
      (16, 'usage_counter', 'usage_counters', 't.user_id = $1', array['usage_type', 'text'],
        array['catalog_epoch']),
      (17, 'usage_period', 'usage_periods', 't.user_id = $1',
        array['usage_type', 'text', 'period_start', 'timestamptz'], '{}'),
      (18, 'usage_entry', 'usage_events', 't.user_id = $1',
        array['occurred_at', 'timestamptz', 'ctid', 'tid'], '{}'),
      (19, 'history_entry', 'history', 't.user_id = $1', array['created_at', 'timestamptz'], '{}'),
      (20, 'history_feedback', 'history_feedback', 't.user_id = $1',
        array['history_id', 'uuid', 'author_id', 'text'], '{}'),
      (21, 'billing_event', 'billing_events', 't.user_id = $1',
        array['occurred_at', 'timestamptz', 'id', 'bigint'], '{}'),
      (22, 'earlier_billing_event', 'billing_events', 't.user_id is null and t.customer_id = any ($2)',
        array['occurred_at', 'timestamptz', 'id', 'bigint'], '{}'),
      (23, 'outbox_message', 'outbox', 't.user_id = $1', array['id', 'uuid'],
        array['generation', 'leased_until']),
      (24, 'audit_entry', 'audit_log', 't.user_id = $1', array['occurred_at', 'timestamptz', 'ctid', 'tid'],
        array['actor']),
      (25, 'failed_webhook', 'failed_webhooks', 't.user_id = $1 or t.customer_id = any ($2)',
        array['id', 'text'], '{}'),
      (26, 'api_call', 'api_log', 't.user_id = $1', array['called_at', 'timestamptz', 'id', 'uuid'], '{}'),
      (27, 'organisation_ledger_entry', 'credit_transactions', 't.actor_id = $1',
        array['user_id', 'text', 'unit', 'text', 'seq', 'bigint'], array['source', 'fingerprint']),
      (28, 'organisation_usage_entry', 'usage_events', 't.actor_id = $1',
        array['occurred_at', 'timestamptz', 'ctid', 'tid'], '{}'),
      (29, 'organisation_history_entry', 'history', 't.actor_id = $1',
        array['created_at', 'timestamptz', 'id', 'uuid'], '{}'),
      (30, 'organisation_history_feedback', 'history_feedback', 't.author_id = $1 and t.user_id <> $1',
        array['history_id', 'uuid'], '{}')
  ) s (place, name, source, owned, keys, omitted)
$$;

-- section_query: Returns the query of one section's records.
--
-- Promises  Each row has the `record` and its key, `after`. $3 is the key after which it begins, and $4 the
--           number of rows. The text consists of account_sections and the names of columns only.

create or replace function section_query(p_section text)
returns text
language plpgsql
stable
as $$
declare
  v_section record;
  v_columns text;
  v_keys    text;
  v_text    text;
  v_after   text;
begin
  select *
  into v_section
  from account_sections()
  where name = p_section;

  select string_agg(
    format(
      case atttypid when 'timestamptz'::regtype then 'json_time(t.%I) as %I' else 't.%I as %I' end,
      attname,
      camel_case(attname)),
    ', ' order by attnum)
  into v_columns
  from pg_attribute
  where attrelid = v_section.source::regclass
    and attnum > 0
    and not attisdropped
    and attname <> all (v_section.omitted);

  select string_agg(format('t.%I', v_section.keys[n]), ', ' order by n),
         string_agg(format('t.%I::text', v_section.keys[n]), ', ' order by n),
         string_agg(format('$3[%s]::%s', (n + 1) / 2, v_section.keys[n + 1]), ', ' order by n)
  into v_keys, v_text, v_after
  from generate_series(1, cardinality(v_section.keys), 2) n;

  return format(
    'select jsonb_build_object(''type'', %L, ''data'', (select to_jsonb(r) from (select %s) r)) as record,
            array[%s] as after
     from %I t
     where (%s)
       and ($3 is null or (%s) > (%s))
     order by %s
     limit $4',
    p_section, v_columns, v_text, v_section.source, v_section.owned, v_keys, v_after, v_keys);
end
$$;

-- camel_case: Returns a column's name as the API writes it.
--
-- Promises  `created_at` becomes `createdAt`.

create or replace function camel_case(p_name text)
returns text
language sql
immutable
as $$
  select string_agg(case when n = 1 then word else initcap(word) end, '' order by n)
  from string_to_table(p_name, '_') with ordinality words (word, n)
$$;

-- json_time: Returns a time as the API writes it.
--
-- Promises  Null for 'infinity' and '-infinity'.

create or replace function json_time(p_time timestamptz)
returns text
language sql
immutable
as $$
  select case
    when isfinite(p_time) then to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  end
$$;

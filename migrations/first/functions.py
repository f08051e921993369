"""What the database itself sees to: chained logs, running deadlines, kept days thrown away."""

FUNCTIONS = (
    """
    CREATE FUNCTION refuse_change()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $function$
    """,
    """
    CREATE FUNCTION call_events_digest(e call_events)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            e.call_id, e.kind, e.source, extract(epoch FROM e.at), e.delivery_key, e.detail,
            e.answer
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION audit_entries_digest(e audit_entries)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            extract(epoch FROM e.at), e.actor, e.action, e.subject, e.detail
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION record_events_digest(e record_events)
     RETURNS bytea
     LANGUAGE sql
     IMMUTABLE
    AS $function$
          SELECT sha256(e.previous || convert_to(jsonb_build_array(
            e.subject_kind, e.subject_id, e.kind, extract(epoch FROM e.at), e.staff_id, e.detail,
            encode(coalesce(e.words_sealed, ''::bytea), 'hex'), e.words_id
          )::text, 'UTF8'))
        $function$
    """,
    """
    CREATE FUNCTION chain_call_event()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          UPDATE calls SET event_count = event_count + 1,
            heard_at = CASE WHEN NEW.delivery_key IS NULL THEN heard_at
                            ELSE greatest(heard_at, NEW.at) END
            WHERE id = NEW.call_id;
          SELECT hash INTO NEW.previous FROM call_events
            WHERE call_id = NEW.call_id ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(NEW.previous, ''::bytea);
          NEW.hash := call_events_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION chain_audit_entry()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        DECLARE last audit_entries;
        BEGIN
          PERFORM pg_advisory_xact_lock(116112);
          SELECT * INTO last FROM audit_entries ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(last.hash, ''::bytea);
          NEW.id := coalesce(last.id, 0) + 1;
          NEW.hash := audit_entries_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION chain_record_event()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          -- One at a time for each subject, whichever transaction holds its row.
          PERFORM pg_advisory_xact_lock(hashtextextended(NEW.subject_id::text, 116115));
          SELECT hash INTO NEW.previous FROM record_events
            WHERE subject_id = NEW.subject_id ORDER BY id DESC LIMIT 1;
          NEW.previous := coalesce(NEW.previous, ''::bytea);
          -- The number is given under the lock, so that the order of ids is the chain's.
          NEW.id := nextval(pg_get_serial_sequence('record_events', 'id'));
          NEW.hash := record_events_digest(NEW);
          RETURN NEW;
        END $function$
    """,
    """
    CREATE FUNCTION check_running_deadline()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        DECLARE subject uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
        BEGIN
          IF EXISTS (
            SELECT FROM referrals r WHERE r.id = subject
              AND r.urgency IN ('immediate', 'urgent')
              AND r.state IN ('draft', 'sent', 'delivered', 'failed', 'rejected', 'redirected',
                'expired')
              AND NOT EXISTS (
                SELECT FROM deadlines c WHERE c.referral_id = r.id AND c.kind = 'acknowledge'
                  AND c.stopped_at IS NULL)
          ) THEN
            RAISE EXCEPTION 'an urgent referral would have no running deadline'
              USING ERRCODE = 'check_violation';
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION is_practice(call uuid, contact uuid)
     RETURNS boolean
     LANGUAGE sql
     STABLE
    AS $function$
          SELECT EXISTS (SELECT FROM calls c JOIN lines l ON l.id = c.line_id
            WHERE l.practice
              AND c.id = coalesce(call, (SELECT call_id FROM contacts WHERE id = contact)))
        $function$
    """,
    """
    CREATE FUNCTION rank_call()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
            BEGIN
              NEW.ranked_at := NEW.queued_at - make_interval(secs => NEW.priority);
              RETURN NEW;
            END $function$
    """,
    """
    CREATE FUNCTION forget_statistics(at timestamp with time zone)
     RETURNS void
     LANGUAGE plpgsql
    AS $function$
    DECLARE told date := (at AT TIME ZONE 'UTC')::date;
    BEGIN
      IF at IS NULL THEN RETURN; END IF;
      PERFORM pg_advisory_xact_lock_shared(710007, told - date '2000-01-01');
      DELETE FROM statistic_days WHERE day = told;
    END $function$
    """,
    """
    CREATE FUNCTION statistics_of_call()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF TG_OP <> 'INSERT' THEN PERFORM forget_statistics(OLD.opened_at); END IF;
          IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.opened_at <> OLD.opened_at) THEN
            PERFORM forget_statistics(NEW.opened_at);
          END IF;
          -- A ring that is heard of late makes later ones of its number repeated ones.
          IF TG_OP = 'INSERT' AND NEW.caller_key IS NOT NULL THEN
            DELETE FROM statistic_days WHERE day IN (
              SELECT (c.opened_at AT TIME ZONE 'UTC')::date FROM calls c
              WHERE c.caller_key = NEW.caller_key AND c.opened_at > NEW.opened_at);
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_part()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          PERFORM forget_statistics((SELECT opened_at FROM calls
            WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.call_id ELSE NEW.call_id END));
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_contact()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            PERFORM forget_statistics(coalesce(
              (SELECT opened_at FROM calls WHERE id = OLD.call_id), OLD.taken_at));
          END IF;
          IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND (NEW.taken_at <> OLD.taken_at
              OR NEW.call_id IS DISTINCT FROM OLD.call_id)) THEN
            PERFORM forget_statistics(coalesce(
              (SELECT opened_at FROM calls WHERE id = NEW.call_id), NEW.taken_at));
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_presence()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          PERFORM forget_statistics(NEW.at);
          IF NEW.before = 'wrap_up' THEN
            PERFORM forget_statistics((SELECT c.opened_at FROM offers o
              JOIN calls c ON c.id = o.call_id
              WHERE o.counsellor_id = NEW.counsellor_id AND o.connected_at IS NOT NULL
              ORDER BY o.released_at DESC LIMIT 1));
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_line()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF NEW.practice <> OLD.practice THEN
            PERFORM pg_advisory_xact_lock(710007, -1);
            DELETE FROM statistic_days;
          END IF;
          RETURN NULL;
        END $function$
    """,
    """
    CREATE FUNCTION statistics_of_staff()
     RETURNS trigger
     LANGUAGE plpgsql
    AS $function$
        BEGIN
          IF NEW.lines <> OLD.lines THEN
            PERFORM pg_advisory_xact_lock(710007, -1);
            DELETE FROM statistic_days;
          END IF;
          RETURN NULL;
        END $function$
    """,
)

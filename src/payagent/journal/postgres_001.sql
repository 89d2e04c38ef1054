-- The journal on PostgreSQL, change 1. Steps and seals are written once and never touched again: the triggers refuse it
-- to everybody, and the app's role has no right to it in the first place (docs/postgresql.md).

CREATE TABLE steps (
    id bigint GENERATED ALWAYS AS IDENTITY,
    call_sid text NOT NULL,
    seq integer NOT NULL,
    record bytea NOT NULL,              -- canonical JSON (codec.py)
    mac bytea NOT NULL,                 -- over the record and the call's step before (chain.py)
    PRIMARY KEY (call_sid, seq)
);

-- What was spoken in a step; may be erased.
CREATE TABLE words (
    call_sid text NOT NULL,
    seq integer NOT NULL,
    salt bytea NOT NULL,
    text text NOT NULL,
    spoken_at timestamptz NOT NULL,
    PRIMARY KEY (call_sid, seq)
);

CREATE INDEX words_by_time ON words (spoken_at);

-- Durable orders: ordered, then claimed by a worker until a time, then done. What is ordered stands in the step.
CREATE TABLE orders (
    key text PRIMARY KEY,
    call_sid text NOT NULL,
    seq integer NOT NULL,
    n integer NOT NULL,
    ordered_at timestamptz NOT NULL,
    claimed_by text,
    claimed_until timestamptz,
    claims integer NOT NULL DEFAULT 0,  -- how often it was claimed
    done_at timestamptz
);

CREATE INDEX orders_not_done ON orders (ordered_at) WHERE done_at IS NULL;

-- An index of the calls, which follows from the steps (index.py).
CREATE TABLE calls (
    call_sid text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    state text NOT NULL,
    updated_at timestamptz NOT NULL,
    steps integer NOT NULL,
    ended boolean NOT NULL,
    next_due timestamptz,               -- the first of the timers of the last step
    -- A later step leaves these as they are by giving NULL, so they cannot be NOT NULL; the first step sets all.
    entered_at timestamptz,
    language text,
    account text,                       -- its id; '' as long as nobody is identified
    amount bigint,                      -- of the latest payment opened, in hundredths
    currency text,                      -- '': no payment was opened
    outcome text,
    last_four text,
    card_type text,
    reason text,
    tries integer NOT NULL,
    reconnects integer NOT NULL,
    declined integer NOT NULL,
    cancelled integer NOT NULL,
    sealed integer NOT NULL DEFAULT 0   -- up to which step a seal covers it
) WITH (fillfactor = 70);               -- a call's line is written anew with each step

CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_by_account ON calls (account, started_at);
CREATE INDEX calls_live ON calls (started_at) WHERE NOT ended;
CREATE INDEX calls_due ON calls (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX calls_for_a_person ON calls (started_at) WHERE outcome = 'unknown' OR state = 'handing_off';
CREATE INDEX calls_not_sealed ON calls (call_sid) WHERE steps > sealed;

-- Every payment that was credited to a bill.
CREATE TABLE credits (
    payment text PRIMARY KEY,
    call_sid text NOT NULL,
    amount bigint NOT NULL,             -- in hundredths
    currency text NOT NULL
);

CREATE INDEX credits_by_call ON credits (call_sid);

CREATE TABLE seals (
    number integer PRIMARY KEY,
    record bytea NOT NULL,
    mac bytea NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER steps_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON steps
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

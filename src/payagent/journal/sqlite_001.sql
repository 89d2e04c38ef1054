-- The journal, version 1. Steps and seals are written once and never touched again: the triggers refuse it.

CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY,         -- the order in which steps of all calls were written
    call_sid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,           -- canonical JSON (codec.py)
    mac BLOB NOT NULL,              -- over the record and the call's step before (chain.py)
    UNIQUE (call_sid, seq)
);

-- What was spoken in a step; may be erased.
CREATE TABLE IF NOT EXISTS words (
    call_sid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    salt BLOB NOT NULL,
    text TEXT NOT NULL,
    spoken_at TEXT NOT NULL,
    PRIMARY KEY (call_sid, seq)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS words_by_time ON words (spoken_at);

-- Durable orders: ordered, then claimed by a worker until a time, then done. What is ordered stands in the step.
CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY,
    call_sid TEXT NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    ordered_at TEXT NOT NULL,
    claimed_by TEXT,
    claimed_until TEXT,
    done_at TEXT
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS orders_not_done ON orders (ordered_at) WHERE done_at IS NULL;

-- An index of the calls, so that sweeps need not fold every call. What it says follows from the steps.
CREATE TABLE IF NOT EXISTS calls (
    call_sid TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    started_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    steps INTEGER NOT NULL,
    ended INTEGER NOT NULL,         -- 0 or 1
    next_due TEXT                   -- the first of the timers of the last step
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS calls_live ON calls (started_at) WHERE ended = 0;
CREATE INDEX IF NOT EXISTS calls_due ON calls (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_by_update ON calls (updated_at);

CREATE TABLE IF NOT EXISTS seals (
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    mac BLOB NOT NULL
);

CREATE TRIGGER IF NOT EXISTS steps_no_update BEFORE UPDATE ON steps
BEGIN SELECT RAISE(ABORT, 'steps are append-only'); END;

CREATE TRIGGER IF NOT EXISTS steps_no_delete BEFORE DELETE ON steps
BEGIN SELECT RAISE(ABORT, 'steps are append-only'); END;

CREATE TRIGGER IF NOT EXISTS seals_no_update BEFORE UPDATE ON seals
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;

CREATE TRIGGER IF NOT EXISTS seals_no_delete BEFORE DELETE ON seals
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;

-- INSERT OR REPLACE would delete a row without asking the triggers above.
CREATE TRIGGER IF NOT EXISTS steps_no_replace BEFORE INSERT ON steps
WHEN EXISTS (SELECT 1 FROM steps WHERE id = NEW.id OR (call_sid = NEW.call_sid AND seq = NEW.seq))
BEGIN SELECT RAISE(ABORT, 'steps are append-only'); END;

CREATE TRIGGER IF NOT EXISTS seals_no_replace BEFORE INSERT ON seals
WHEN EXISTS (SELECT 1 FROM seals WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'seals are append-only'); END;

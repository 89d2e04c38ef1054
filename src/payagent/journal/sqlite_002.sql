-- The journal, change 2. The index of calls says more, and what was paid stands beside it (index.py). Both follow from
-- the steps, from which they are made anew behind this change.

DROP TABLE calls;

CREATE TABLE calls (
    call_sid TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    state TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    steps INTEGER NOT NULL,
    ended INTEGER NOT NULL,         -- 0 or 1
    next_due TEXT,                  -- the first of the timers of the last step
    -- A later step leaves these as they are by giving NULL, so they cannot be NOT NULL; the first step sets all.
    entered_at TEXT,
    language TEXT,
    account TEXT,                   -- its id; '' as long as nobody is identified
    amount INTEGER,                 -- of the latest payment opened, in hundredths
    currency TEXT,                  -- '': no payment was opened
    outcome TEXT,
    last_four TEXT,
    card_type TEXT,
    reason TEXT,
    tries INTEGER NOT NULL,
    reconnects INTEGER NOT NULL,
    declined INTEGER NOT NULL,
    cancelled INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX calls_by_start ON calls (started_at);
CREATE INDEX calls_by_account ON calls (account, started_at);
CREATE INDEX calls_live ON calls (started_at) WHERE NOT ended;
CREATE INDEX calls_due ON calls (next_due) WHERE next_due IS NOT NULL;
CREATE INDEX calls_for_a_person ON calls (started_at) WHERE outcome = 'unknown' OR state = 'handing_off';

-- Every payment that was credited to a bill.
CREATE TABLE credits (
    payment TEXT PRIMARY KEY,
    call_sid TEXT NOT NULL,
    amount INTEGER NOT NULL,        -- in hundredths
    currency TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX credits_by_call ON credits (call_sid);
